// Lookup of task definitions by name.
import { distance } from 'fastest-levenshtein'
import type { z } from 'zod'
import { AppError } from '../base/errors.ts'
import type { TaskDefinition } from './define.ts'

/** What a caller may send to the definition of this name; unknown where any name will do. */
export type InputOf<Known extends TaskDefinition, Name> = z.input<DefinitionOf<Known, Name>['input']>

/** What comes of it. */
export type ResultOf<Known extends TaskDefinition, Name> = z.output<DefinitionOf<Known, Name>['output']>

// A name that is only known to be a text may also be that of a definition added elsewhere.
type DefinitionOf<Known extends TaskDefinition, Name> = string extends Name
  ? TaskDefinition
  : [Extract<Known, { name: Name }>] extends [never]
    ? TaskDefinition
    : Extract<Known, { name: Name }>

export interface Registry {
  all: readonly TaskDefinition[]
  /** undefined for a name that this version of the code does not know */
  find(name: string): TaskDefinition | undefined
  /** @throws AppError `unknown_definition`, naming those that are spelt alike */
  get(name: string): TaskDefinition
}

export function createRegistry(definitions: readonly TaskDefinition[]): Registry {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]))
  if (byName.size < definitions.length) throw new Error('Two task definitions have the same name')
  const names = [...byName.keys()]
  return {
    all: definitions,
    find: (name) => byName.get(name),
    get(name) {
      const definition = byName.get(name)
      if (definition) return definition
      throw new AppError(
        'unknown_definition',
        `There is no task "${name.slice(0, 64)}". ${hint(name, names)}`,
      )
    },
  }
}

function hint(name: string, names: string[]): string {
  // Two slips in a name are a typing mistake; more are another word.
  const near = names.filter((known) => distance(known, name.slice(0, 64).toLowerCase()) <= 2)
  if (near.length > 0) return `Did you mean ${near.map((known) => `"${known}"`).join(' or ')}?`
  return `Known tasks: ${names.join(', ')}.`
}
