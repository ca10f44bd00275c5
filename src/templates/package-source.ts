// Where a new project gets Waggle from: the registry, or the file, folder or repository from which this
// package was installed.
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { PACKAGE_ROOT } from './template-files.ts'

/**
 * Returns the dependency on this package, for the package.json of a project in `projectFolder`. It is the
 * version of this package if it was installed from a registry.
 */
export function sourceForProject(projectFolder: string, root = PACKAGE_ROOT): string {
  const { name, version } = readJson(join(root, 'package.json')) as { name: string; version: string }
  const folder = resolve(root)
  // `npx <tarball>` and `npm install <tarball>` install the package into node_modules of a folder whose
  // package.json contains the tarball.
  const modules = dirname(folder)
  if (basename(modules) !== 'node_modules') return fileSpec(projectFolder, folder)
  const installer = dirname(modules)
  const spec = dependencyIn(installer, name)
  if (spec?.startsWith('file:'))
    return fileSpec(projectFolder, resolve(installer, spec.slice('file:'.length)))
  // Git and HTTP addresses are passed on; tags and ranges of versions become this version.
  return spec !== undefined && /[:/]/.test(spec) && !spec.startsWith('npm:') ? spec : version
}

function dependencyIn(folder: string, name: string): string | undefined {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return undefined
  const { dependencies, devDependencies } = readJson(file) as Record<
    string,
    Record<string, string> | undefined
  >
  return dependencies?.[name] ?? devDependencies?.[name]
}

/** Returns the path as npm writes it: relative to the project. */
function fileSpec(projectFolder: string, path: string): string {
  return `file:${relative(resolve(projectFolder), path).replaceAll('\\', '/')}`
}

function readJson(file: string): object {
  return JSON.parse(readFileSync(file, 'utf8'))
}
