// Writes the files of a new project.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { addToConfig } from './config-edit.ts'
import { sourceForProject } from './package-source.ts'
import {
  type ProjectFiles,
  readDependencies,
  readSamples,
  readTemplate,
  withValues,
} from './template-files.ts'

export interface Parts {
  /** Add the samples. */
  samples: boolean
  /** Add what runs the project in containers. If the folder has a project, this is all that is written. */
  containers: boolean
}

/**
 * Creates a project in the folder, and the folder if it does not exist.
 * @returns the paths of the written files, relative to the folder
 * @throws Error that names the files of the project that exist; then nothing is written
 */
export function createProject(folder: string, { samples, containers }: Parts): string[] {
  const isExtended = containers && !samples && existsSync(join(folder, 'waggle.config.ts'))
  const files = {
    ...(!isExtended && filesOf(folder, samples)),
    ...(containers && containerFiles(nameOf(folder))),
  }
  const paths = Object.keys(files).toSorted()
  const existing = paths.filter((path) => existsSync(join(folder, path)))
  if (existing.length > 0)
    throw new Error(`${resolve(folder)} already has ${existing.join(', ')}: nothing was written`)
  for (const path of paths) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    // Fails if the file was created meanwhile.
    writeFileSync(target, files[path] ?? '', { flag: 'wx' })
  }
  return paths
}

function filesOf(folder: string, samples: boolean): ProjectFiles {
  const name = nameOf(folder)
  const template = readTemplate('project')
  return {
    ...template,
    ...(samples && samplesFor()),
    'README.md': withValues(template['README.md'] ?? '', { name }),
    'package.json': packageJson(name, folder, samples),
  }
}

/** Returns what runs a project in containers. Its name there is that of its images and network. */
function containerFiles(name: string): ProjectFiles {
  const { 'docker-compose.yml': compose = '', ...files } = readTemplate('containers')
  // Docker permits fewer characters than npm.
  const permitted = name.replace(/[^a-z0-9_-]+/g, '-')
  return { ...files, 'docker-compose.yml': withValues(compose, { name: permitted }) }
}

/** Returns the samples, whose configuration also has the first task of the template. */
function samplesFor(): ProjectFiles {
  const { 'waggle.config.ts': config = '', ...files } = readSamples()
  // The comment at the beginning describes the repository.
  const own = config.replace(/^(\/\/.*\n)+/, '')
  const edited = addToConfig(own, { identifier: 'hello', path: './tasks/hello.ts' })
  if (edited === undefined) throw new Error('The configuration of the samples has no list of tasks')
  return { ...files, 'waggle.config.ts': edited }
}

/** Returns a name for package.json: what npm permits of the name of the folder. */
function nameOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
    .slice(0, 200)
  return name || 'my-tasks'
}

function packageJson(name: string, folder: string, samples: boolean): string {
  const versions = readDependencies()
  const dependencies = {
    ...versions.project.dependencies,
    ...(samples && versions.samples.dependencies),
    'waggle-tasks': sourceForProject(folder),
  }
  const devDependencies = {
    ...versions.project.devDependencies,
    ...(samples && versions.samples.devDependencies),
  }
  const content = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=24' },
    // With `exec`, the shell of npm becomes Waggle, so that signals reach it.
    scripts: {
      dev: 'exec waggle dev',
      api: 'exec waggle api',
      worker: 'exec waggle worker',
      migrate: 'waggle migrate',
      test: 'vitest run',
      types: 'tsc --noEmit',
    },
    dependencies: sorted(dependencies),
    devDependencies: sorted(devDependencies),
    // The package `node` installs Node 24 by a script, which npm runs only if it is allowed.
    allowScripts: { node: true },
  }
  return `${JSON.stringify(content, null, 2)}\n`
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
