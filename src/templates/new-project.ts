// Writes the files of a new project.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { AWS_SCRIPTS, awsFiles } from './aws-files.ts'
import { addToConfig } from './config-edit.ts'
import { addScripts, type ScriptsEdit } from './package-scripts.ts'
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
  /** Add what runs the project in containers. */
  containers: boolean
  /** Add what deploys the project to AWS, and what runs it in containers unless it has a Dockerfile. */
  aws: boolean
}

export interface WrittenProject {
  /** Whether the folder had no project before. */
  isNew: boolean
  /** Paths of the new files, relative to the folder. */
  written: string[]
  /** What was added to the package.json of a project that existed. */
  scripts?: Pick<ScriptsEdit, 'added' | 'kept'>
}

/**
 * Creates a project in the folder, and the folder if it does not exist. If the folder has a project, only the
 * parts for containers and AWS are added.
 * @throws Error that names the files that exist already; then nothing is written
 */
export function createProject(folder: string, parts: Parts): WrittenProject {
  const { samples, containers, aws } = parts
  const isNew = samples || !(containers || aws) || !existsSync(join(folder, 'waggle.config.ts'))
  const files = filesOf(folder, parts, isNew)
  const paths = Object.keys(files).toSorted()
  const existing = paths.filter((path) => existsSync(join(folder, path)))
  if (existing.length > 0)
    throw new Error(`${resolve(folder)} already has ${existing.join(', ')}: nothing was written`)
  const manifest = join(folder, 'package.json')
  const edit = aws && !isNew ? addScripts(readFileSync(manifest, 'utf8'), AWS_SCRIPTS) : undefined
  for (const path of paths) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    // Fails if the file was created meanwhile.
    writeFileSync(target, files[path] ?? '', { flag: 'wx' })
  }
  if (!edit) return { isNew, written: paths }
  const { text, ...scripts } = edit
  writeFileSync(manifest, text)
  return { isNew, written: paths, scripts }
}

function filesOf(folder: string, { samples, containers, aws }: Parts, isNew: boolean): ProjectFiles {
  const name = nameOf(folder)
  const hasImage = existsSync(join(folder, 'Dockerfile'))
  return {
    ...(isNew && projectFiles(folder, samples, aws)),
    ...((containers || (aws && !hasImage)) && containerFiles(name)),
    ...(aws && awsFiles(name, isNew)),
  }
}

function projectFiles(folder: string, samples: boolean, aws: boolean): ProjectFiles {
  const name = nameOf(folder)
  const template = readTemplate('project')
  return {
    ...template,
    ...(samples && samplesFor()),
    'README.md': withValues(template['README.md'] ?? '', { name }),
    'package.json': packageJson(name, folder, { samples, aws }),
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

function packageJson(name: string, folder: string, { samples, aws }: Pick<Parts, 'samples' | 'aws'>): string {
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
      ...(aws && AWS_SCRIPTS),
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
