// Reads the templates of projects and tasks.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The text of each file of a project, by its path relative to the folder of the project. */
export type ProjectFiles = Record<string, string>

/** The root of the package, or of the repository. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TEMPLATES = join(PACKAGE_ROOT, 'templates')

// npm leaves some files with a dot out of packages, so the templates have other names.
const NAMES: Record<string, string> = {
  dockerignore: '.dockerignore',
  'env.example': '.env.example',
  github: '.github',
  gitignore: '.gitignore',
}

/** @param name `project`; `containers` or `aws`: what runs a project in containers or on AWS */
export function readTemplate(name: 'project' | 'containers' | 'aws'): ProjectFiles {
  const files = filesBelow(join(TEMPLATES, name))
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [nameInProject(path), text]))
}

function nameInProject(path: string): string {
  return path
    .split('/')
    .map((part) => NAMES[part] ?? part)
    .join('/')
}

const SAMPLE_FOLDERS = ['tasks', 'services', 'forms']

/**
 * Returns the sample project: its configuration, tasks, services and form endpoints. In the repository these
 * are the files at its root, of which the package has a copy.
 */
export function readSamples(): ProjectFiles {
  const copy = join(TEMPLATES, 'samples')
  const root = existsSync(copy) ? copy : PACKAGE_ROOT
  const config = readFileSync(join(root, 'waggle.config.ts'), 'utf8')
  const files = SAMPLE_FOLDERS.map((folder) => filesBelow(join(root, folder), `${folder}/`))
  return Object.assign({ 'waggle.config.ts': config }, ...files)
}

/** Versions of packages that a project needs, by the field of its package.json. */
export interface Dependencies {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

export function readDependencies(): Record<'project' | 'samples' | 'aws', Dependencies> {
  return JSON.parse(readFileSync(join(TEMPLATES, 'dependencies.json'), 'utf8'))
}

/** Returns a template of a task or of its test, with these values in place of `{{name}}`. */
export function readTaskTemplate(name: 'task.ts' | 'task.test.ts', values: Record<string, string>): string {
  return withValues(readFileSync(join(TEMPLATES, 'task', `${name}.txt`), 'utf8'), values)
}

export function withValues(text: string, values: Record<string, string>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole)
}

function filesBelow(folder: string, prefix = ''): ProjectFiles {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [prefix + path.slice(folder.length + 1).replaceAll('\\', '/'), readFileSync(path, 'utf8')]
    }),
  )
}
