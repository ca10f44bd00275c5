// Makes a copy of the sample project that uses the built package (`npm run build`) in place of the source.
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PACKAGE = join(ROOT, 'dist')
// Inside of the repository, so that the packages of its node_modules are found.
const FOLDER = join(ROOT, '.data', 'package-project')

/** Settings of processes that run the package: the configuration of the project. */
export const PACKAGE_SETTINGS = { WAGGLE_CONFIG: join(FOLDER, 'waggle.config.ts') }

/** The program that the command `waggle` of the package starts. */
export const PACKAGE_MAIN = join(PACKAGE, 'lib', 'main.js')

/** @throws Error if the package is not built */
export function makePackageProject(): void {
  if (!existsSync(PACKAGE_MAIN)) throw new Error('The package is not built: run `npm run build`')
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(join(FOLDER, 'node_modules'), { recursive: true })
  symlinkSync(PACKAGE, join(FOLDER, 'node_modules', 'waggle-tasks'))
  // Without a package.json of its own the project would be a part of the repository, whose own name is
  // `waggle-tasks`.
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true, "type": "module" }\n')
  for (const name of ['waggle.config.ts', 'tasks', 'services', 'forms'])
    cpSync(join(ROOT, name), join(FOLDER, name), { recursive: true })
}
