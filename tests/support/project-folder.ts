// A folder with a project, as `npm install` leaves it: the package is a link to this repository.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ProjectFolder {
  folder: string
  /** Path of the configuration. */
  config: string
  /** Writes files, given by their paths in the folder. */
  write(files: Record<string, string>): void
  remove(): void
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

export function createProjectFolder(files: Record<string, string>): ProjectFolder {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-own-project-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(REPOSITORY, join(folder, 'node_modules', 'waggle-tasks'))
  symlinkSync(join(REPOSITORY, 'node_modules', 'zod'), join(folder, 'node_modules', 'zod'))
  write({ 'package.json': '{ "type": "module", "private": true }', ...files })
  return {
    folder,
    config: join(folder, 'waggle.config.ts'),
    write,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }

  function write(changed: Record<string, string>) {
    for (const [path, text] of Object.entries(changed)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
  }
}
