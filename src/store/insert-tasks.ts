// Inserts tasks, with and without idempotency keys.
import { isAppError } from '../base/errors.ts'
import { type BatchStatement, type Column, integers, texts, timestamps, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { NoAnswerError } from './database-errors.ts'
import { inArray, sql } from './drizzle.ts'
import { inputTextOf, type NewTask, type OnceTask } from './new-tasks.ts'
import { type TaskRow, tasks } from './schema.ts'

/**
 * Inserts all tasks or none. Marks tasks without `runAt` as enqueued; the caller must enqueue them. Resolves
 * with one `undefined` per task, because a group commit expects a result for each item.
 */
export async function insertTasks(database: Database, newTasks: NewTask[]): Promise<undefined[]> {
  await database.run(INSERT_TASKS, columnsOf(newTasks))
  return new Array(newTasks.length)
}

/**
 * Inserts the tasks whose idempotency key is new. Resolves with null for each of them, and with the existing
 * row of the key for each other task. If an earlier call was committed but its response was lost, a repeated
 * call gets the row of the submitted task itself.
 */
export async function insertTasksOnce(database: Database, newTasks: OnceTask[]): Promise<(TaskRow | null)[]> {
  // Keys are inserted in a fixed order, so that two processes with the same keys cannot deadlock.
  const sorted = newTasks.toSorted((a, b) => (a.idempotency.key < b.idempotency.key ? -1 : 1))
  // If a concurrent transaction inserts the same key, this statement waits until that transaction has ended,
  // so that `findByKeys` sees the row of that transaction.
  const inserted = await database.run<{ id: string }>(INSERT_TASKS_ONCE, columnsOf(sorted))
  const insertedIds = new Set(inserted.map(({ id }) => id))
  const existing = newTasks.filter(({ id }) => !insertedIds.has(id))
  const rows = existing.length > 0 ? await findByKeys(database, existing) : []
  const rowByKey = new Map(rows.map((row) => [row.idempotencyKey, row]))
  return newTasks.map(({ id, idempotency }) => {
    if (insertedIds.has(id)) return null
    const row = rowByKey.get(idempotency.key)
    if (!row) throw new Error(`Task ${id} was not inserted, and its idempotency key does not exist`)
    return row
  })
}

async function findByKeys(database: Database, newTasks: OnceTask[]): Promise<TaskRow[]> {
  const keys = newTasks.map(({ idempotency }) => idempotency.key)
  try {
    return await database.reads.use((drizzle) =>
      drizzle.select().from(tasks).where(inArray(tasks.idempotencyKey, keys)),
    )
  } catch (cause) {
    // Other tasks of the batch are committed already.
    if (isAppError(cause, 'unavailable')) throw new NoAnswerError('The existing tasks were not read', cause)
    throw cause
  }
}

function columnsOf(newTasks: (NewTask & Partial<OnceTask>)[]): Record<string, Column> {
  const each = <Value>(value: (task: NewTask & Partial<OnceTask>) => Value) => newTasks.map(value)
  return {
    id: uuids(each(({ id }) => id)),
    name: texts(each(({ name }) => name)),
    queue: texts(each(({ queue }) => queue)),
    input: texts(each(inputTextOf)),
    max_retries: integers(each(({ maxRetries }) => maxRetries)),
    timeout_ms: integers(each(({ timeoutMs }) => timeoutMs)),
    tags: texts(each(({ tags }) => (tags.length > 0 ? JSON.stringify(tags) : undefined))),
    created_at: timestamps(each(({ createdAt }) => createdAt)),
    run_at: timestamps(each(({ runAt }) => runAt)),
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
 * time of Postgres, whichever is earlier. So the task is due for the dispatcher if the enqueue fails, even if
 * the clock of this process is ahead.
 */
const INSERT_TASKS: BatchStatement = {
  name: 'insert_tasks',
  build: (rows) => sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, tags, created_at, run_at, enqueued_at,
                       request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key,
                       idempotency_fingerprint)
    select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms,
           case when tags is null then '{}' else array(select json_array_elements_text(tags::json)) end, created_at,
           coalesce(run_at, least(created_at, now())), case when run_at is null then now() end,
           request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key, idempotency_fingerprint
    from ${rows}`,
}

/** Works like `INSERT_TASKS`, but skips tasks whose idempotency key exists. Returns the inserted ids. */
const INSERT_TASKS_ONCE: BatchStatement = {
  name: 'insert_tasks_once',
  build: (rows) => sql`${INSERT_TASKS.build(rows)} on conflict do nothing returning id`,
}
