// The version of Waggle.
import { readFileSync } from 'node:fs'

/** Reads the file, because older versions of Node print a warning when JSON is imported. */
export function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
