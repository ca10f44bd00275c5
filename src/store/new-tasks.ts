// What a task is made of when it is submitted, and the statement that makes many.
import { type BatchStatement, type Column, integers, texts, timestamps, uuids } from './columns.ts'
import { sql } from './drizzle.ts'

export interface NewTask {
  id: string
  name: string
  queue: string
  input: unknown
  /** The same as JSON, where somebody has made it already. */
  inputText?: string
  maxRetries: number
  timeoutMs: number
  tags: string[]
  createdAt: Date
  /** Not before this moment; absent for at once. */
  runAt?: Date
  requestId?: string
  traceparent?: string
  callbackUrl?: string
  replayedFrom?: string
  parentId?: string
}

/** A task that is to exist once, however often it is submitted. */
export interface OnceTask extends NewTask {
  /** Hashes: of the caller's key with what it is valid for, and of the body that came with it. */
  idempotency: { key: string; fingerprint: string }
}

export function inputTextOf({ input, inputText }: NewTask): string {
  return inputText ?? JSON.stringify(input)
}

/** The columns of `INSERT_TASKS` and `INSERT_TASKS_ONCE`. */
export function columnsOf(newTasks: (NewTask & Partial<OnceTask>)[]): Record<string, Column> {
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
 * Inserts all or none. A task that may run at once counts as rung: whoever inserts it rings right after the commit. Should
 * that fail it is due by the clock of Postgres, also where ours is ahead.
 */
export const INSERT_TASKS: BatchStatement = {
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

/** The same, but for those whose key is there already; answers the ids of what it has inserted. */
export const INSERT_TASKS_ONCE: BatchStatement = {
  name: 'insert_tasks_once',
  build: (rows) => sql`${INSERT_TASKS.build(rows)} on conflict do nothing returning id`,
}
