// Finds finished tasks with a `callback_url` and creates their callbacks: tasks that post a finished task to
// that URL. One statement inserts the callback and sets `callback_id` in the finished task, so each end of a
// task has exactly one callback.

import type { Database } from './database.ts'
import { and, asc, isNotNull, isNull, sql } from './drizzle.ts'
import type { NewTask } from './new-tasks.ts'
import { tasks } from './schema.ts'
import { isOneOf, recordset } from './statements.ts'
import { REQUEST_ID, storedRequestId, TAGS } from './task-columns.ts'

/** A task that posts a finished task to its `callback_url`. `parentId` is the finished task. */
export interface Callback extends NewTask {
  parentId: string
  /** `version` of the finished task when it was read. If it has changed since, no callback is created. */
  parentVersion: number
}

export type EndedTask = Awaited<ReturnType<CallbackStore['findEnded']>>[number]
export type CallbackStore = ReturnType<typeof createCallbackStore>

export function createCallbackStore(database: Database) {
  return {
    /**
     * Returns up to `limit` finished tasks whose callback still has to be created, except `exceptIds`, in the
     * order in which they finished. A partial index contains only such tasks, so the query is cheap if there
     * are none.
     */
    async findEnded(limit: number, exceptIds: string[] = []) {
      return database.use((drizzle) =>
        drizzle
          .select(ENDED)
          .from(tasks)
          .where(
            and(
              isNotNull(tasks.callbackUrl),
              isNull(tasks.callbackId),
              isNotNull(tasks.finishedAt),
              sql`${tasks.id} <> all(${`{${exceptIds.join()}}`}::uuid[])`,
            ),
          )
          .orderBy(asc(tasks.finishedAt))
          .limit(limit),
      )
    },

    /**
     * Inserts callbacks, due immediately, and sets `callback_id` of their finished tasks in one statement, so
     * that each end of a task gets one callback even if several workers try. The dispatcher enqueues them.
     * Skips finished tasks that are locked or have changed since they were read (for example by a retry).
     * @returns how many callbacks were created
     */
    async createMany(callbacks: Callback[]): Promise<number> {
      const records = callbacks.map((callback) => ({
        id: callback.id,
        name: callback.name,
        queue: callback.queue,
        input: JSON.stringify(callback.input),
        max_retries: callback.maxRetries,
        timeout_ms: callback.timeoutMs,
        created_at: callback.createdAt,
        request_uuid: storedRequestId(callback.requestId).uuid,
        request_text: storedRequestId(callback.requestId).text,
        traceparent: callback.traceparent,
        parent_id: callback.parentId,
        parent_version: callback.parentVersion,
      }))
      const needsCallback = sql`finished_at is not null and callback_url is not null and callback_id is null`
      const parents = callbacks.map(({ parentId }) => ({ id: parentId }))
      const rows = await database.query<{ count: number }>(sql`
        with given as materialized (
          select * from ${recordset(records)} as given(id uuid, name text, queue text, input text, max_retries int,
            timeout_ms int, created_at timestamptz, request_uuid uuid, request_text text, traceparent text, parent_id uuid, parent_version int)
        ), locked as (
          select tasks.id from tasks join given on given.parent_id = tasks.id
          where ${isOneOf(parents)} and ${needsCallback} and tasks.version = given.parent_version
          for update of tasks skip locked
        ), updated as (
          update tasks set callback_id = given.id, version = tasks.version + 1 from given
          where given.parent_id = tasks.id and ${isOneOf(parents)} and tasks.id in (select id from locked)
          returning given.id
        ), inserted as (
          insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, created_at, run_at, request_uuid,
                             request_text, traceparent, parent_id)
          select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, created_at, now(), request_uuid,
                 request_text, traceparent, parent_id
          from given where id in (select id from updated)
          returning id
        )
        select count(*)::int as count from inserted`)
      return rows[0]?.count ?? 0
    },
  }
}

const ENDED = {
  id: tasks.id,
  name: tasks.name,
  queue: tasks.queue,
  status: tasks.status,
  result: tasks.result,
  error: tasks.error,
  attempt: tasks.attempt,
  tags: TAGS,
  version: tasks.version,
  createdAt: tasks.createdAt,
  finishedAt: tasks.finishedAt,
  callbackUrl: tasks.callbackUrl,
  requestId: REQUEST_ID,
  traceparent: tasks.traceparent,
}
