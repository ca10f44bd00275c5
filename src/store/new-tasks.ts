// What a task is made of when it is submitted, and the statement that makes many.
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'
import { recordset } from './statements.ts'

export interface NewTask {
  id: string
  name: string
  queue: string
  input: unknown
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

/**
 * Inserts all or none. A task that may run at once counts as rung: whoever inserts it rings right after the commit. Should
 * that fail it is due by the clock of Postgres, also where ours is ahead.
 */
export function insertOf(newTasks: (NewTask & Partial<OnceTask>)[]): SQL {
  const records = newTasks.map((task) => ({
    id: task.id,
    name: task.name,
    queue: task.queue,
    input: JSON.stringify(task.input),
    max_retries: task.maxRetries,
    timeout_ms: task.timeoutMs,
    tags: task.tags.length > 0 ? task.tags : undefined,
    created_at: task.createdAt,
    run_at: task.runAt,
    request_id: task.requestId,
    traceparent: task.traceparent,
    callback_url: task.callbackUrl,
    replayed_from: task.replayedFrom,
    parent_id: task.parentId,
    idempotency_key: task.idempotency?.key,
    idempotency_fingerprint: task.idempotency?.fingerprint,
  }))
  return sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, tags, created_at, run_at, rung_at,
                       request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key,
                       idempotency_fingerprint)
    select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, coalesce(tags, '{}'), created_at,
           coalesce(run_at, least(created_at, now())), case when run_at is null then now() end,
           request_id, traceparent, callback_url, replayed_from, parent_id, idempotency_key, idempotency_fingerprint
    from ${recordset(records)} as given(id uuid, name text, queue text, input text, max_retries int, timeout_ms int,
         tags text[], created_at timestamptz, run_at timestamptz, request_id text, traceparent text, callback_url text,
         replayed_from uuid, parent_id uuid, idempotency_key text, idempotency_fingerprint text)`
}
