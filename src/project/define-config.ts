// `defineConfig` defines a project: the default export of its `waggle.config.ts`.
import { z } from 'zod'
import type { ProjectRoutes, RouteTools } from '../api/project-routes.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { HOOK_NAMES, type Hooks } from '../definitions/hooks.ts'
import { duplicateSchedule } from '../definitions/registry.ts'
import type { ServicesDefinition } from '../definitions/services.ts'
import { RESERVED_NAMES } from '../tasks/core-definitions.ts'

/** A project: its tasks, and what they need. */
export interface WaggleConfig<Definitions extends readonly TaskDefinition[] = readonly TaskDefinition[]> {
  /** The definitions of all tasks that clients may submit. */
  tasks: Definitions
  /** Settings and services of the tasks, see `defineServices`. */
  services?: ServicesDefinition
  /** Functions that a worker calls when an attempt has ended. */
  hooks?: Hooks
  /** Adds routes to the API, see `RouteTools`. Called once per API process; in `dev` again after an edit. */
  routes?: (tools: RouteTools) => ProjectRoutes
}

/**
 * Checks the configuration of a project and returns it.
 * @throws Error that names the fault
 */
export function defineConfig<const Definitions extends readonly TaskDefinition[]>(
  config: WaggleConfig<Definitions>,
): WaggleConfig<Definitions> {
  const fault = faultOf(config)
  if (fault) throw new Error(`defineConfig: ${fault}`)
  return config
}

const MEMBERS = ['tasks', 'services', 'routes', 'hooks']

/** Describes the first fault of a value that should be a configuration; undefined if there is none. */
export function faultOf(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null)
    return 'its default export must be defineConfig({ tasks: […] })'
  const unknown = Object.keys(config).find((member) => !MEMBERS.includes(member))
  if (unknown !== undefined) return `"${unknown}" is unknown: expected ${MEMBERS.join(', ')}`
  const { tasks, services, routes, hooks } = config as Partial<WaggleConfig>
  if (!Array.isArray(tasks)) return 'tasks must be a list of task definitions'
  const notDefined = tasks.findIndex(
    (task) => typeof task?.name !== 'string' || typeof task.run !== 'function',
  )
  if (notDefined >= 0) return `tasks[${notDefined}] is no task definition: expected the result of defineTask`
  const names = tasks.map(({ name }: TaskDefinition) => name)
  const duplicate = names.find((name, index) => names.indexOf(name) < index)
  if (duplicate !== undefined) return `two tasks have the name "${duplicate}"`
  const reserved = names.find((name) => RESERVED_NAMES.includes(name))
  if (reserved !== undefined) return `the name "${reserved}" is reserved for a task of Waggle itself`
  const duplicateName = duplicateSchedule(tasks)
  if (duplicateName !== undefined) return duplicateName
  if (services !== undefined && !isServicesDefinition(services))
    return 'services must be the result of defineServices'
  if (routes !== undefined && typeof routes !== 'function') return 'routes must be a function'
  return hooks === undefined ? undefined : faultOfHooks(hooks)
}

function faultOfHooks(hooks: unknown): string | undefined {
  if (typeof hooks !== 'object' || hooks === null) return 'hooks must be an object'
  for (const [name, hook] of Object.entries(hooks)) {
    if (!(HOOK_NAMES as readonly string[]).includes(name))
      return `hooks.${name} is unknown: expected ${HOOK_NAMES.join(', ')}`
    if (hook !== undefined && typeof hook !== 'function') return `hooks.${name} must be a function`
  }
  return undefined
}

function isServicesDefinition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('settings' in value) || !('open' in value))
    return false
  return value.settings instanceof z.ZodObject && typeof value.open === 'function'
}
