// Translates a filter of tasks into SQL: conditions that select the range of an index to scan, and conditions
// that are checked for each scanned row.
import type { SQL, SQLWrapper } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import { and, arrayContains, gte, inArray, isNull, lt, notInArray, sql } from './drizzle.ts'
import { IS_UNSUCCESSFUL, tasks } from './schema.ts'

export interface TaskFilter {
  statuses?: TaskStatus[]
  names?: string[]
  queues?: string[]
  workerIds?: string[]
  tag?: string
  /** First characters of the id, with or without hyphens. */
  idPrefix?: string
  createdAfter?: Date
  createdBefore?: Date
  /** Text that must occur in the name, tags, input, result or error, ignoring case. */
  text?: string
  /** Conditions on members of the input. All of them must hold. */
  inputs?: InputCondition[]
  /** Names of definitions whose inputs or results `text` must not read. */
  hidden?: { inputs: string[]; results: string[] }
}

export interface InputCondition {
  /** Path from the input to the value: names of members, and for arrays the index of the element. */
  path: string[]
  /** Expected value: a string without quotes; a number, `true` or `false` as in JSON. */
  value: string
  /** Names of definitions whose tasks never match. */
  exceptNames?: string[]
}

const UNFINISHED: readonly TaskStatus[] = ['PENDING', 'STARTED', 'RETRY']
const UNSUCCESSFUL: readonly TaskStatus[] = ['FAILURE', 'CANCELLED']

/**
 * Returns the conditions that select an index and a range of ids in it. Unfinished tasks have the partial
 * index `tasks_live`, failed and cancelled tasks `tasks_unsuccessful`; both are small, because most tasks end
 * successfully. All other filters use the primary key.
 */
export function rangeOf(filter: TaskFilter): (SQL | undefined)[] {
  const { statuses } = filter
  return [
    statuses && isWithin(statuses, UNFINISHED) ? isNull(tasks.finishedAt) : undefined,
    // Repeats the condition of the partial index `tasks_unsuccessful`, so that Postgres can use the index.
    // All failed and cancelled tasks fulfil the condition: a failed task always has an error, and a cancelled
    // task always has a cancel request.
    statuses && isWithin(statuses, UNSUCCESSFUL) ? IS_UNSUCCESSFUL : undefined,
    filter.idPrefix === undefined ? undefined : idRange(filter.idPrefix),
    filter.createdAfter && gte(tasks.id, firstIdOf(filter.createdAfter.getTime())),
    filter.createdBefore && lt(tasks.id, firstIdOf(filter.createdBefore.getTime())),
  ]
}

/** Returns the conditions that Postgres checks for each row of the scanned range. */
export function conditionsOf(filter: TaskFilter): (SQL | undefined)[] {
  return [
    filter.statuses && inArray(tasks.status, filter.statuses),
    filter.names && inArray(tasks.name, filter.names),
    filter.queues && inArray(tasks.queue, filter.queues),
    filter.workerIds && inArray(tasks.workerId, filter.workerIds),
    filter.tag === undefined ? undefined : arrayContains(tasks.tags, [filter.tag]),
    ...(filter.inputs ?? []).map(matchesInput),
    filter.text === undefined ? undefined : containsText(filter.text, filter.hidden),
  ]
}

function isWithin(statuses: readonly TaskStatus[], all: readonly TaskStatus[]): boolean {
  return statuses.every((status) => all.includes(status))
}

/**
 * Returns the condition that the input contains `value` at `path`. The operator `#>>` fails if the input
 * contains `\u0000` or a lone surrogate anywhere, so the comparison replaces these escapes by U+FFFD. All
 * escaped surrogates are lone ones, because `JSON.stringify` wrote the input and does not escape pairs.
 */
function matchesInput({ path, value, exceptNames = [] }: InputCondition): SQL {
  const readable = sql`(case when strpos(${tasks.input}::text, '\\u') = 0 then ${tasks.input}
    else regexp_replace(${tasks.input}::text, ${'\\\\u(0000|d[89a-f][0-9a-f]{2})'}, ${'\\\\ufffd'}, 'g')::json end)`
  const isEqual = sql`${readable} #>> array(select json_array_elements_text(${JSON.stringify(path)}::json)) = ${value}`
  return exceptNames.length === 0 ? isEqual : sql`${notInArray(tasks.name, exceptNames)} and ${isEqual}`
}

function containsText(text: string, { inputs, results }: NonNullable<TaskFilter['hidden']> = NONE): SQL {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  return sql`concat_ws(' ', ${tasks.name}, array_to_string(${tasks.tags}, ' '), ${exceptOf(tasks.input, inputs)},
                       ${exceptOf(tasks.result, results)}, ${tasks.error}) ilike ${pattern}`
}

const NONE = { inputs: [], results: [] }

/** Returns the column, as null for tasks of these definitions. */
function exceptOf(column: SQLWrapper, names: string[]): SQLWrapper {
  return names.length === 0 ? column : sql`case when ${notInArray(tasks.name, names)} then ${column} end`
}

function idRange(prefix: string): SQL | undefined {
  const digits = prefix.replaceAll('-', '').toLowerCase()
  const edge = (filler: string) =>
    digits.padEnd(32, filler).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return and(gte(tasks.id, edge('0')), sql`${tasks.id} <= ${edge('f')}::uuid`)
}
