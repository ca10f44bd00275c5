// Builds and packs the package, and installs it in a new project.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { ENTRY_POINTS } from '../../build/entry-points.ts'
import repository from '../../package.json' with { type: 'json' }

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed package. */
    tarball: string
    /** Folder of a project that has installed the package. */
    projectFolder: string
  }
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export default function setup({ provide }: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-package-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    npm(ROOT, ['run', 'build'])
    const packed = npm(join(ROOT, 'dist'), ['pack', '--silent', '--pack-destination', folder])
    const tarball = join(folder, packed.trim())
    const project = join(folder, 'project')
    cpSync(join(ROOT, 'tests/package/project'), project, { recursive: true })
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifestOf(tarball)))
    const names = ENTRY_POINTS.map(({ export: path }) => join('waggle-tasks', path))
    writeFileSync(join(project, 'entry-points.ts'), names.map((name) => `import '${name}'\n`).join(''))
    npm(project, ['install', '--prefer-offline', '--no-audit', '--no-fund'])
    provide('tarball', tarball)
    provide('projectFolder', project)
  } catch (error) {
    remove()
    throw error
  }
  return remove
}

function manifestOf(tarball: string) {
  const { typescript, '@types/node': node } = repository.devDependencies
  return {
    private: true,
    type: 'module',
    scripts: { dev: 'exec waggle dev' },
    dependencies: { 'waggle-tasks': `file:${tarball}`, zod: repository.dependencies.zod },
    devDependencies: { '@types/node': node, typescript },
  }
}

function npm(folder: string, args: string[]): string {
  return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
