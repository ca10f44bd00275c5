// Inserts tasks, with and without idempotency keys.
import type { SQL } from 'drizzle-orm'
import { isAppError } from '../base/errors.ts'
import { type BatchStatement, booleans, type Column, integers, texts, timestamps, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { NoAnswerError } from './database-errors.ts'
import { inArray, sql } from './drizzle.ts'
import { type HasBacklog, inputTextOf, type NewTask, type OnceResult, type OnceTask } from './new-tasks.ts'
import { type TaskRow, tasks } from './schema.ts'

const NO_BACKLOG: HasBacklog = () => false

/**
 * Inserts all tasks or none. Marks tasks as enqueued, except those that have a `runAt` or whose queue has a
 * backlog; the caller must enqueue the marked ones.
 * @returns for each task when it was marked, in ms since 1970 by the clock of Postgres; null if it was not
 */
export async function insertTasks(
  database: Database,
  newTasks: NewTask[],
  hasBacklog = NO_BACKLOG,
): Promise<(number | null)[]> {
  const waits = waitsOf(newTasks, hasBacklog)
  const [row] = await database.run<{ nowMs: number }>(INSERT_TASKS, columnsOf(newTasks, waits))
  const nowMs = row?.nowMs ?? null
  return waits.map((isWaiting) => (isWaiting ? null : nowMs))
}

/**
 * Inserts the tasks whose idempotency key is new, and marks them like `insertTasks`. Returns the existing row
 * of the key for each other task. If an earlier call was committed but its response was lost, a repeated call
 * gets the row of the submitted task itself.
 */
export async function insertTasksOnce(
  database: Database,
  newTasks: OnceTask[],
  hasBacklog = NO_BACKLOG,
): Promise<OnceResult[]> {
  // Keys are inserted in a fixed order, so that two processes with the same keys cannot deadlock.
  const sorted = newTasks.toSorted((a, b) => (a.idempotency.key < b.idempotency.key ? -1 : 1))
  const waits = waitsOf(sorted, hasBacklog)
  // If a concurrent transaction inserts the same key, this statement waits until that transaction has ended,
  // so that `findByKeys` sees the row of that transaction.
  const inserted = await database.run<{ id: string; enqueuedAtMs: number | null }>(
    INSERT_TASKS_ONCE,
    columnsOf(sorted, waits),
  )
  const insertedById = new Map(inserted.map((row) => [row.id, row]))
  const existing = newTasks.filter(({ id }) => !insertedById.has(id))
  const rows = existing.length > 0 ? await findByKeys(database, existing) : []
  const rowByKey = new Map(rows.map((row) => [row.idempotencyKey, row]))
  return newTasks.map(({ id, idempotency }) => {
    const insertedRow = insertedById.get(id)
    if (insertedRow) return { existing: null, enqueuedAtMs: insertedRow.enqueuedAtMs }
    const row = rowByKey.get(idempotency.key)
    if (!row) throw new Error(`Task ${id} was not inserted, and its idempotency key does not exist`)
    return { existing: row, enqueuedAtMs: row.enqueuedAt?.getTime() ?? null }
  })
}

/** Which of these tasks are not marked as enqueued. The dispatcher of a worker enqueues them later. */
function waitsOf(newTasks: NewTask[], hasBacklog: HasBacklog): boolean[] {
  return newTasks.map((task) => task.runAt !== undefined || hasBacklog(task))
}

async function findByKeys(database: Database, newTasks: OnceTask[]): Promise<TaskRow[]> {
  const keys = newTasks.map(({ idempotency }) => idempotency.key)
  try {
    return await database.reads.use((drizzle) =>
      drizzle.select().from(tasks).where(inArray(tasks.idempotencyKey, keys)),
    )
  } catch (cause) {
    // The new tasks of this batch are committed. `unavailable` would say that nothing was accepted.
    if (isAppError(cause, 'unavailable')) throw new NoAnswerError('The existing tasks were not read', cause)
    throw cause
  }
}

function columnsOf(newTasks: (NewTask & Partial<OnceTask>)[], waits: boolean[]): Record<string, Column> {
  const each = <Value>(value: (task: NewTask & Partial<OnceTask>) => Value) => newTasks.map(value)
  return {
    id: uuids(each(({ id }) => id)),
    name: texts(each(({ name }) => name)),
    queue: texts(each(({ queue }) => queue)),
    input: texts(each(inputTextOf)),
    max_retries: integers(each(({ maxRetries }) => maxRetries)),
    timeout_ms: integers(each(({ timeoutMs }) => timeoutMs)),
    is_isolated: booleans(each(({ isIsolated }) => isIsolated || undefined)),
    tags: texts(each(({ tags }) => (tags.length > 0 ? JSON.stringify(tags) : undefined))),
    created_at: timestamps(each(({ createdAt }) => createdAt)),
    run_at: timestamps(each(({ runAt }) => runAt)),
    waits: booleans(waits.map((isWaiting) => isWaiting || undefined)),
    request_id: texts(each(({ requestId }) => requestId)),
    traceparent: texts(each(({ traceparent }) => traceparent)),
    callback_url: texts(each(({ callbackUrl }) => callbackUrl)),
    replayed_from: uuids(each(({ replayedFrom }) => replayedFrom)),
    parent_id: uuids(each(({ parentId }) => parentId)),
    idempotency_key: texts(each(({ idempotency }) => idempotency?.key)),
    idempotency_fingerprint: texts(each(({ idempotency }) => idempotency?.fingerprint)),
  }
}

/**
 * Inserts tasks. For a task without `run_at`, the column is set to the time of the submission or the current
 * time of Postgres, whichever is earlier. So the task is due for the dispatcher if it is not enqueued, even
 * if the clock of this process is ahead.
 */
const insertInto = (rows: SQL) => sql`
  insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, is_isolated, tags, created_at, run_at,
                     enqueued_at, request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key,
                     idempotency_fingerprint)
  select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, coalesce(is_isolated, false),
         case when tags is null then '{}' else array(select json_array_elements_text(tags::json)) end, created_at,
         coalesce(run_at, least(created_at, now())), case when waits is null then now() end,
         request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key, idempotency_fingerprint
  from ${rows}`

/**
 * Returns the time of Postgres once instead of the rows: all rows that it marks as enqueued have this time.
 */
const INSERT_TASKS: BatchStatement = {
  name: 'insert_tasks',
  build: (rows) => sql`
    with inserted as (${insertInto(rows)}) select extract(epoch from now())::float8 * 1000 as "nowMs"`,
}

/** Skips tasks whose idempotency key exists. */
const INSERT_TASKS_ONCE: BatchStatement = {
  name: 'insert_tasks_once',
  build: (rows) => sql`
    ${insertInto(rows)} on conflict do nothing
    returning id, extract(epoch from enqueued_at)::float8 * 1000 as "enqueuedAtMs"`,
}
