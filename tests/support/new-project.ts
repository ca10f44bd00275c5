// Creates a project with `waggle init`, whose packages are those of this repository.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MAIN, runCommand } from './run-command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface NewProject {
  folder: string
  remove(): void
}

export async function createNewProject(...options: string[]): Promise<NewProject> {
  const parent = mkdtempSync(join(tmpdir(), 'waggle-new-'))
  const folder = join(parent, 'my-tasks')
  const { code, stderr } = await runCommand(['init', folder, ...options])
  if (code !== 0) throw new Error(stderr)
  linkPackages(join(folder, 'node_modules'))
  return { folder, remove: () => rmSync(parent, { recursive: true, force: true }) }
}

/** Does what `npm install` would do, without the registry. */
function linkPackages(folder: string) {
  const source = join(ROOT, 'node_modules')
  mkdirSync(join(folder, '.bin'), { recursive: true })
  const isPackage = (name: string) => !name.startsWith('.') && name !== 'waggle-tasks'
  for (const name of readdirSync(source).filter(isPackage))
    symlinkSync(join(source, name), join(folder, name))
  for (const name of readdirSync(join(source, '.bin')))
    if (name !== 'waggle') symlinkSync(join(source, '.bin', name), join(folder, '.bin', name))
  symlinkSync(ROOT, join(folder, 'waggle-tasks'))
  symlinkSync(MAIN, join(folder, '.bin', 'waggle'))
}
