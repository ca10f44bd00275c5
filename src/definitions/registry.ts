// The registry: finds task definitions by name.
import { distance } from 'fastest-levenshtein'
import type { z } from 'zod'
import { AppError } from '../base/errors.ts'
import type { TaskDefinition } from './define.ts'

/** Input type of the definition with this name; `unknown` if the name is not known at compile time. */
export type InputOf<Known extends TaskDefinition, Name> = z.input<DefinitionOf<Known, Name>['input']>

/** Result type of the definition with this name; `unknown` if the name is not known at compile time. */
export type ResultOf<Known extends TaskDefinition, Name> = z.output<DefinitionOf<Known, Name>['output']>

// Selects the definition whose name is `Name` from the union `Known` of definition types. It is the general
// `TaskDefinition` if `Name` is only `string`, or if no definition in `Known` has this name.
type DefinitionOf<Known extends TaskDefinition, Name> = string extends Name
  ? TaskDefinition
  : [Extract<Known, { name: Name }>] extends [never]
    ? TaskDefinition
    : Extract<Known, { name: Name }>

export interface Registry {
  all: readonly TaskDefinition[]
  /**
   * Returns the definition with this name, or undefined if there is none, for example because only another
   * version of the code has it.
   */
  find(name: string): TaskDefinition | undefined
  /**
   * Returns the definition with this name.
   * @throws AppError `unknown_definition`; its message suggests names with a similar spelling
   */
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
        `There is no task "${name.slice(0, 64)}". ${suggestion(name, names)}`,
      )
    },
  }
}

function suggestion(name: string, names: string[]): string {
  // Suggests names that differ in at most two letters: the given name is then probably a typing mistake.
  const similar = names.filter((known) => distance(known, name.slice(0, 64).toLowerCase()) <= 2)
  if (similar.length > 0) return `Did you mean ${similar.map((known) => `"${known}"`).join(' or ')}?`
  return `Known tasks: ${names.join(', ')}.`
}
