// Changes waiting tasks that submissions have met: their inputs, and when they start. The caller has locked
// their rows.

import type { Priority } from '../../definitions/limits.ts'
import { masked } from '../../definitions/sensitive.ts'
import { type BatchStatement, booleans, IS_GIVEN, integers, texts, timestamps, uuids } from '../columns.ts'
import { sql } from '../drizzle.ts'
import type { MarkedTask } from '../held/hold-tasks.ts'
import type { Transaction } from '../lanes.ts'
import { inputTextOf } from '../new-tasks.ts'
import type { Change, ReplacedInput } from './plan.ts'

interface ChangedTask {
  id: string
  name: string
  queue: string
  isIsolated: boolean
  attempt: number
  priority: Priority | null
  expiresAt: Date | null
  runAt: Date
  enqueuedAtMs: number
  mustHold: boolean
}

/**
 * Gives tasks their new inputs and starts.
 * @returns the tasks that were marked as enqueued. The caller must hold them after the commit: their new input
 *   may have other keys of limits, or they start later
 */
export async function changeTasks(
  transaction: Transaction,
  changes: readonly Change[],
): Promise<(MarkedTask & { id: string })[]> {
  if (changes.length === 0) return []
  const rows = await transaction.run<ChangedTask>(CHANGE, {
    id: uuids(changes.map(({ id }) => id)),
    input: texts(changes.map(({ by }) => inputTextOf(by))),
    run_at: timestamps(changes.map(({ runAt }) => runAt)),
    is_limited: booleans(changes.map(({ by }) => by.unique.isLimited)),
    concurrency_key: texts(changes.map(({ by }) => by.hold?.concurrencyKey ?? '')),
    rate_key: texts(changes.map(({ by }) => by.hold?.rateKey ?? '')),
  })
  const changesById = new Map(changes.map((change) => [change.id, change]))
  return rows.flatMap(({ mustHold, priority, expiresAt, ...task }) => {
    const { concurrencyKey = '', rateKey = '' } = changesById.get(task.id)?.by.hold ?? {}
    const hold = {
      concurrencyKey,
      rateKey,
      priority: priority ?? 'normal',
      expiresAt: expiresAt ?? undefined,
    }
    return mustHold ? [{ ...task, hold }] : []
  })
}

/** SQL of the mark of a task that leaves its group. It differs from all earlier marks of the task. */
const NEW_MARK = sql`greatest(clock_timestamp(),
  case when isfinite(tasks.enqueued_at) then tasks.enqueued_at + interval '1 ms' end)`

/**
 * A held task whose keys and start stay the same stays in its group. Others leave it: they are marked as
 * enqueued like tasks of a retry, until the caller holds them again. A claim that waits for the row finds
 * that it is not in the group any more. A plain task that starts later is not enqueued any more: a claim of a
 * reference that is in Redis fails, because the task is not due.
 */
const CHANGE: BatchStatement = {
  name: 'change_unique_tasks',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}), held as materialized (
      select given.*, held_tasks.task_id is not null as is_held,
        coalesce((task_groups.concurrency_key, task_groups.rate_key) = (given.concurrency_key, given.rate_key), false) as is_same
      from given left join held_tasks on held_tasks.task_id = given.id
        left join task_groups on task_groups.id = held_tasks.group_id
    ), changed as (
      update tasks set input = given.input::json, run_at = given.run_at, version = version + 1,
        enqueued_at = case
          when given.is_held and given.is_same and given.run_at = tasks.run_at and tasks.enqueued_at = 'infinity'
            then tasks.enqueued_at
          when given.is_held or given.is_limited then ${NEW_MARK}
          when given.run_at > tasks.run_at then null
          else tasks.enqueued_at end
      from held as given
      where ${IS_GIVEN} and tasks.status in ('PENDING', 'RETRY')
      returning tasks.id, tasks.name, tasks.queue, tasks.is_isolated, tasks.attempt, tasks.priority, tasks.expires_at,
        tasks.run_at, tasks.enqueued_at,
        (given.is_held or given.is_limited) and tasks.enqueued_at <> 'infinity' as must_hold
    ), removed as (
      delete from held_tasks using changed where held_tasks.task_id = changed.id and changed.must_hold
    )
    select id, name, queue, is_isolated as "isIsolated", attempt, priority, expires_at as "expiresAt", run_at as "runAt",
           extract(epoch from enqueued_at)::float8 * 1000 as "enqueuedAtMs", must_hold as "mustHold"
    from changed`,
}

// Maximum length of an input in the log, in characters of its JSON. A page of the log has 1,000 lines.
const MAX_INPUT_CHARACTERS = 4_096

/** Keeps replaced inputs in the logs of their tasks, with their sensitive values masked. */
export async function logReplaced(
  transaction: Transaction,
  replaced: readonly ReplacedInput[],
): Promise<void> {
  if (replaced.length === 0) return
  await transaction.run(LOG_REPLACED, {
    ordinal: integers(replaced.map((_, index) => index)),
    id: uuids(replaced.map(({ id }) => id)),
    attempt: integers(replaced.map(({ attempt }) => attempt)),
    fields: texts(replaced.map(fieldsOf)),
  })
}

function fieldsOf({ input, by }: ReplacedInput): string {
  const shown = by.unique.mask ? masked(by.unique.mask, input) : input
  const text = JSON.stringify(shown)
  const kept =
    text.length <= MAX_INPUT_CHARACTERS
      ? { replaced_input: shown }
      : { replaced_input_excerpt: text.slice(0, MAX_INPUT_CHARACTERS).toWellFormed() }
  return JSON.stringify({ ...kept, request_id: by.requestId })
}

const LOG_REPLACED: BatchStatement = {
  name: 'log_replaced_inputs',
  build: (rows) => sql`
    insert into task_logs (task_id, attempt, at, message, fields)
    select given.id, given.attempt, clock_timestamp(), 'A later submission has replaced the input', given.fields::json
    from ${rows} order by given.ordinal`,
}
