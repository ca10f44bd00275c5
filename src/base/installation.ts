// This installation of Waggle: its version and its programs. In the repository it is TypeScript, in the installed
// package compiled JavaScript; both have the same folders.
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Version of the package. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version

/** Path of a program of this package, to start it as a process. */
export function programPath(name: 'main' | 'isolated'): string {
  return fileURLToPath(new URL(`../${name}${extname(import.meta.url)}`, import.meta.url))
}
