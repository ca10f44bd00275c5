// Loads the project of this process: the configuration in `waggle.config.ts`.
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { messageOf } from '../base/errors.ts'
import type { Environment } from '../config.ts'
import { faultOf, type WaggleConfig } from './define-config.ts'

export interface Project {
  /** Path of the configuration file. */
  file: string
  /** Folder of the configuration file. */
  folder: string
  config: WaggleConfig
  /** Environment variables of the project. */
  settings?: z.ZodObject
}

const NAMES = ['waggle.config.ts', 'waggle.config.mts', 'waggle.config.js', 'waggle.config.mjs']

/**
 * Loads the configuration of the project from the file that WAGGLE_CONFIG names, or from the current folder.
 * @throws Error that names the file and the fault
 */
export async function loadProject(environment: Environment): Promise<Project> {
  const file = findConfig(environment)
  const config = await importConfig(file)
  return { file, folder: dirname(file), config, settings: config.services?.settings }
}

/** @throws Error if there is no such file */
export function findConfig({ WAGGLE_CONFIG: given }: Environment): string {
  const candidates = (given ? [given] : NAMES).map((name) => resolve(name))
  const file = candidates.find((path) => existsSync(path))
  if (file !== undefined) return file
  if (given) throw new Error(`WAGGLE_CONFIG: there is no file ${given}`)
  throw new Error(
    `There is no waggle.config.ts in ${process.cwd()}: run this command in the folder of a project, or create a project with \`waggle init\``,
  )
}

async function importConfig(file: string): Promise<WaggleConfig> {
  let loaded: { default?: unknown }
  try {
    loaded = await import(pathToFileURL(file).href)
  } catch (error) {
    throw new Error(`${file} could not be loaded: ${describe(error)}`, { cause: error })
  }
  const fault = faultOf(loaded.default)
  if (fault) throw new Error(`${file}: ${fault}`)
  return loaded.default as WaggleConfig
}

/**
 * Describes why a file could not be loaded: by its stack, which names the place in the file. Leaves out the
 * lines of Node and of Waggle, and the versions of modules that were loaded again.
 */
function describe(error: unknown): string {
  if (!(error instanceof Error) || !error.stack) return messageOf(error)
  const lines = error.stack.split('\n').filter((line) => !isForeignFrame(line))
  return lines.join('\n').replace(/\?version=\d+/g, '')
}

// The folder of Waggle's own modules.
const CORE = new URL('../', import.meta.url).href

function isForeignFrame(line: string): boolean {
  return /^\s+at /.test(line) && (line.includes('node:internal') || line.includes(CORE))
}
