// The modules of the project in this process: which files were loaded, and how they are loaded again after an
// edit. A module cannot be unloaded. It is loaded again under another URL, with a version as its query.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

/** Hashes of the contents of files, by their paths. */
export type FileHashes = ReadonlyMap<string, string>

export interface ProjectModules {
  /** The files of the project that were imported so far, each as it was at its last import. */
  files(): FileHashes
  /** Returns whether a file is a CommonJS module, which cannot be loaded again. */
  isCommonJs(file: string): boolean
  /** From now on, imports load the modules of the project again, each at its first import. */
  startVersion(): void
}

// The folder of Waggle's own modules, which are never loaded again.
const CORE = new URL('../', import.meta.url).href

/** Observes all imports from now on. Modules in `node_modules` do not belong to the project. */
export function trackProjectModules(): ProjectModules {
  const files = new Map<string, string>()
  const commonJs = new Set<string>()
  let version = 0
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const { url, format } = resolved
      if (!url.startsWith('file:') || url.startsWith(CORE) || url.includes('/node_modules/')) return resolved
      const file = fileURLToPath(url)
      // Before the file is read: an edit after this moment differs from this hash.
      files.set(file, hashOf(file))
      if (format?.startsWith('commonjs') || context.conditions.includes('require')) {
        commonJs.add(file)
        return resolved
      }
      if (version === 0) return resolved
      return { ...resolved, url: `${url}${url.includes('?') ? '&' : '?'}version=${version}` }
    },
  })
  return {
    files: () => new Map(files),
    isCommonJs: (file) => commonJs.has(file),
    startVersion() {
      version++
    },
  }
}

/** Returns a hash of the contents of a file; `missing` if it cannot be read. */
export function hashOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex')
  } catch {
    // The file does not exist, or an editor is replacing it.
    return 'missing'
  }
}
