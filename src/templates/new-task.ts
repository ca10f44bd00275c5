// Writes the files of a new task, and adds it to the configuration of the project.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type AddedTask, addToConfig, importOf } from './config-edit.ts'
import { readTaskTemplate } from './template-files.ts'

export interface NewTask {
  /** Paths of the written files. */
  written: string[]
  /** What a person must add to the configuration; undefined if it was added. */
  missing?: string
}

/**
 * Writes `tasks/<name>.ts` and its test next to the configuration, and adds the task to the configuration.
 * @param configFile path of the configuration
 * @throws Error if one of the two files exists
 */
export function createTask(name: string, configFile: string): NewTask {
  const folder = join(dirname(configFile), 'tasks')
  const identifier = identifierOf(name)
  const values = { name, identifier, title: titleOf(name) }
  const files = {
    [join(folder, `${name}.ts`)]: readTaskTemplate('task.ts', values),
    [join(folder, `${name}.test.ts`)]: readTaskTemplate('task.test.ts', values),
  }
  const existing = Object.keys(files).filter((path) => existsSync(path))
  if (existing.length > 0)
    throw new Error(`${existing.map(shown).join(' and ')} exist already: nothing was written`)
  mkdirSync(folder, { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(path, text, { flag: 'wx' })
  const missing = addToFile(configFile, { identifier, path: `./tasks/${name}.ts` })
  return { written: Object.keys(files).map(shown), missing }
}

function addToFile(configFile: string, task: AddedTask): string | undefined {
  const edited = addToConfig(readFileSync(configFile, 'utf8'), task)
  if (edited === undefined)
    return `Add the task to ${shown(configFile)}:\n  ${importOf(task)}\nand ${task.identifier} to its list of tasks`
  writeFileSync(configFile, edited)
  return undefined
}

function shown(path: string): string {
  return relative(process.cwd(), path) || path
}

/** Names that a definition cannot have in its module: words of the language, and what the module imports. */
const TAKEN =
  /^(await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|function|if|implements|import|in|instanceof|interface|let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield|arguments|eval|z|test|expect|services)$/

function identifierOf(name: string): string {
  const camel = name.replace(/_+([a-z0-9]?)/g, (_, letter: string) => letter.toUpperCase())
  return TAKEN.test(camel) ? `${camel}Task` : camel
}

function titleOf(name: string): string {
  const words = name.replace(/_+/g, ' ').trim()
  return `${words[0]?.toUpperCase()}${words.slice(1)}`
}
