// Which tasks are meant, as conditions: what an index answers by itself, and what every row has to be asked.
import type { SQL } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import { and, arrayContains, gte, inArray, isNull, lt, sql } from './drizzle.ts'
import { tasks } from './schema.ts'

export interface TaskFilter {
  statuses?: TaskStatus[]
  names?: string[]
  queues?: string[]
  workerIds?: string[]
  tag?: string
  /** Beginning of the id. */
  idPrefix?: string
  createdAfter?: Date
  createdBefore?: Date
  /** Somewhere in name, tags, input, result or error; upper and lower case are the same. */
  text?: string
  /** Members of the input, all of which have to be as they are here. */
  inputs?: InputCondition[]
}

export interface InputCondition {
  /** Names of members, one inside the other; for lists the number of the element. */
  path: string[]
  /** A text as it is; a number, `true` or `false` as JSON writes it. */
  value: string
}

const UNFINISHED: readonly TaskStatus[] = ['PENDING', 'STARTED', 'RETRY']
const UNSUCCESSFUL: readonly TaskStatus[] = ['FAILURE', 'CANCELLED']

/**
 * What an index answers by itself, newest first. `tasks_live` and `tasks_unsuccessful` hold the few that people look for
 * among very many that went well; the primary key serves everything else.
 */
export function rangeOf(filter: TaskFilter): (SQL | undefined)[] {
  const { statuses } = filter
  return [
    statuses && isWithin(statuses, UNFINISHED) ? isNull(tasks.finishedAt) : undefined,
    // A FAILURE has its error and a CANCELLED task the request: `finishMany` and `cancelMany` see to it.
    statuses && isWithin(statuses, UNSUCCESSFUL)
      ? sql`(finished_at is not null and (error is not null or cancel_requested_at is not null))`
      : undefined,
    filter.idPrefix === undefined ? undefined : idRange(filter.idPrefix),
    filter.createdAfter && gte(tasks.id, firstIdOf(filter.createdAfter.getTime())),
    filter.createdBefore && lt(tasks.id, firstIdOf(filter.createdBefore.getTime())),
  ]
}

/** What every row has to be asked. */
export function conditionsOf(filter: TaskFilter): (SQL | undefined)[] {
  return [
    filter.statuses && inArray(tasks.status, filter.statuses),
    filter.names && inArray(tasks.name, filter.names),
    filter.queues && inArray(tasks.queue, filter.queues),
    filter.workerIds && inArray(tasks.workerId, filter.workerIds),
    filter.tag === undefined ? undefined : arrayContains(tasks.tags, [filter.tag]),
    ...(filter.inputs ?? []).map(isInput),
    filter.text === undefined ? undefined : containsText(filter.text),
  ]
}

function isWithin(statuses: readonly TaskStatus[], all: readonly TaskStatus[]): boolean {
  return statuses.every((status) => all.includes(status))
}

/**
 * Postgres makes no text of a JSON text with `\u0000` or half of a character in it, wherever that stands: for the
 * comparison these become the sign for what cannot be read. `JSON.stringify` wrote the column, and escapes nothing else.
 */
function isInput({ path, value }: InputCondition): SQL {
  const readable = sql`(case when strpos(${tasks.input}::text, '\\u') = 0 then ${tasks.input}
    else regexp_replace(${tasks.input}::text, ${'\\\\u(0000|d[89a-f][0-9a-f]{2})'}, ${'\\\\ufffd'}, 'g')::json end)`
  return sql`${readable} #>> array(select json_array_elements_text(${JSON.stringify(path)}::json)) = ${value}`
}

/** In whatever of a task people remember: what it was given, what became of it, what it was called. */
function containsText(text: string): SQL {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  return sql`concat_ws(' ', ${tasks.name}, array_to_string(${tasks.tags}, ' '), ${tasks.input}, ${tasks.result},
                       ${tasks.error}) ilike ${pattern}`
}

function idRange(prefix: string): SQL | undefined {
  const digits = prefix.replaceAll('-', '').toLowerCase()
  const edge = (filler: string) =>
    digits.padEnd(32, filler).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return and(gte(tasks.id, edge('0')), sql`${tasks.id} <= ${edge('f')}::uuid`)
}
