// The registry: finds task definitions by name.
import { distance } from 'fastest-levenshtein'
import { AppError } from '../base/errors.ts'
import type { TaskDefinition } from './define.ts'
import { type CompleteSchedule, completeSchedule } from './schedule.ts'

export interface Registry {
  /** All definitions, including internal ones. */
  all: readonly TaskDefinition[]
  /** The definitions that clients may submit. */
  submittable: readonly TaskDefinition[]
  /** The schedules of all definitions, which are part of the code, by their names. */
  schedules: ReadonlyMap<string, CompleteSchedule>
  /**
   * Returns the definition with this name, which may be internal, or undefined if there is none, for example
   * because only another version of the code has it.
   */
  find(name: string): TaskDefinition | undefined
  /**
   * Returns the definition with this name that clients may submit.
   * @throws AppError `unknown_definition`, also for an internal definition; its message suggests names with a
   * similar spelling
   */
  get(name: string): TaskDefinition
  /**
   * Returns the internal definition with this name.
   * @throws Error if there is none
   */
  getInternal(name: string): TaskDefinition
}

/**
 * Creates the registry.
 * @param submittable definitions that clients may submit
 * @param internal definitions whose tasks only Waggle itself creates, such as callbacks
 * @throws Error if two definitions or two schedules have the same name
 */
export function createRegistry(
  submittable: readonly TaskDefinition[],
  internal: readonly TaskDefinition[] = [],
): Registry {
  const all = [...submittable, ...internal]
  const schedules = all.flatMap(({ name, schedules = [] }) =>
    schedules.map((schedule) => completeSchedule(name, schedule)),
  )
  const duplicate = duplicateSchedule(all)
  if (duplicate !== undefined) throw new Error(duplicate)
  const byName = indexed(all)
  if (byName.size < all.length) throw new Error('Two task definitions have the same name')
  const submittableByName = indexed(submittable)
  const internalByName = indexed(internal)
  const names = [...submittableByName.keys()]
  return {
    all,
    submittable,
    schedules: new Map(schedules.map((schedule) => [schedule.name, schedule])),
    find: (name) => byName.get(name),
    get(name) {
      const definition = submittableByName.get(name)
      if (definition) return definition
      if (internalByName.has(name)) {
        throw new AppError(
          'unknown_definition',
          `Clients cannot submit the task "${name}": only Waggle itself creates such tasks`,
        )
      }
      throw new AppError(
        'unknown_definition',
        `There is no task "${name.slice(0, 64)}". ${suggestion(name, names)}`,
      )
    },
    getInternal(name) {
      const definition = internalByName.get(name)
      if (definition) return definition
      throw new Error(`There is no internal task definition "${name}"`)
    },
  }
}

/** Describes two schedules with the same name; undefined if all names differ. */
export function duplicateSchedule(
  definitions: readonly Pick<TaskDefinition, 'name' | 'schedules'>[],
): string | undefined {
  const taskOf = new Map<string, string>()
  for (const { name: task, schedules = [] } of definitions) {
    for (const { name } of schedules) {
      const other = taskOf.get(name)
      if (other !== undefined)
        return `two schedules have the name "${name}", of the tasks "${other}" and "${task}": names of schedules are unique in the project`
      taskOf.set(name, task)
    }
  }
  return undefined
}

function indexed(definitions: readonly TaskDefinition[]): Map<string, TaskDefinition> {
  return new Map(definitions.map((definition) => [definition.name, definition]))
}

function suggestion(name: string, names: string[]): string {
  // Suggests names that differ in at most two letters: the given name is then probably a typing mistake.
  const similar = names.filter((known) => distance(known, name.slice(0, 64).toLowerCase()) <= 2)
  if (similar.length > 0) return `Did you mean ${similar.map((known) => `"${known}"`).join(' or ')}?`
  return `Known tasks: ${names.join(', ')}.`
}
