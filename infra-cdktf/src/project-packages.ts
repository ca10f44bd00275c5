// Finds the packages of cdktf. A project installs them beside its main.ts, and the code that imports them is in
// the package `waggle-tasks`, which is in another folder: from there Node does not find them.
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const PACKAGES = /^(cdktf|constructs|@cdktf\/provider-aws)(\/|$)/
const HERE = new URL('./', import.meta.url).href

/**
 * Makes this code import the packages of cdktf as a file in the folder would. An import then fails with an Error
 * that says what to install.
 */
export function usePackagesOf(folder: string): void {
  const parentURL = pathToFileURL(join(folder, 'main.ts')).href
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!PACKAGES.test(specifier) || !context.parentURL?.startsWith(HERE))
        return nextResolve(specifier, context)
      try {
        return nextResolve(specifier, { ...context, parentURL })
      } catch (error) {
        const [, name] = PACKAGES.exec(specifier) ?? []
        throw new Error(`${name} is not installed in ${folder}. Run: npm install --prefix infra-cdktf`, {
          cause: error,
        })
      }
    },
  })
}
