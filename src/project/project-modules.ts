// The modules of the project in this process: which files were loaded, and how they are loaded again after an
// edit. A module cannot be unloaded. It is loaded again under another URL, with a version as its query.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

export interface ProjectModules {
  /** Paths of all files of the project that were loaded so far. */
  files(): string[]
  /** From now on, imports load the modules of the project again, each at its first import. */
  startVersion(): void
}

// The folder of Waggle's own modules, which are never loaded again.
const CORE = new URL('../', import.meta.url).href

/**
 * Observes all imports from now on. Modules in `node_modules` do not belong to the project. CommonJS modules
 * are observed, but not loaded again.
 */
export function trackProjectModules(): ProjectModules {
  const files = new Set<string>()
  let version = 0
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const { url, format } = resolved
      if (!url.startsWith('file:') || url.startsWith(CORE) || url.includes('/node_modules/')) return resolved
      files.add(fileURLToPath(url))
      const isCommonJs = format?.startsWith('commonjs') || context.conditions.includes('require')
      if (version === 0 || isCommonJs) return resolved
      return { ...resolved, url: `${url}${url.includes('?') ? '&' : '?'}version=${version}` }
    },
  })
  return {
    files: () => [...files],
    startVersion() {
      version++
    },
  }
}
