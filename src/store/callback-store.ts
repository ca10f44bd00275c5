// Who is to be told that a task has ended, and the task that tells them: made once, in the statement that notes it.

import type { Database } from './database.ts'
import { and, asc, isNotNull, isNull, sql } from './drizzle.ts'
import type { NewTask } from './new-tasks.ts'
import { tasks } from './schema.ts'
import { isOneOf, recordset } from './statements.ts'

/** The task that tells; `parentId` is the one that has ended. */
export interface Callback extends NewTask {
  parentId: string
  /** Of the ended task when it was read: what is told must be how it has ended. */
  parentVersion: number
}

export type EndedTask = Awaited<ReturnType<CallbackStore['findEnded']>>[number]
export type CallbackStore = ReturnType<typeof createCallbackStore>

export function createCallbackStore(database: Database) {
  return {
    /**
     * Ended tasks of which nobody was told yet, longest ended first, but for those named. Costs next to nothing when there
     * is none.
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
     * Inserts the callbacks and notes each in its ended task: both or neither, and once for an end, however many workers
     * try at once. Left out is what another worker has in hand, and what has been retried since it was read. The
     * dispatcher is to ring them, at once by the clock of Postgres, which is the one that it goes by. Answers how many there
     * are now that were not before.
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
        request_id: callback.requestId,
        traceparent: callback.traceparent,
        parent_id: callback.parentId,
        parent_version: callback.parentVersion,
      }))
      const isUntold = sql`finished_at is not null and callback_url is not null and callback_id is null`
      const parents = callbacks.map(({ parentId }) => ({ id: parentId }))
      const rows = await database.query<{ count: number }>(sql`
        with given as materialized (
          select * from ${recordset(records)} as given(id uuid, name text, queue text, input text, max_retries int,
            timeout_ms int, created_at timestamptz, request_id text, traceparent text, parent_id uuid, parent_version int)
        ), untold as (
          select tasks.id from tasks join given on given.parent_id = tasks.id
          where ${isOneOf(parents)} and ${isUntold} and tasks.version = given.parent_version
          for update of tasks skip locked
        ), noted as (
          update tasks set callback_id = given.id, version = tasks.version + 1 from given
          where given.parent_id = tasks.id and ${isOneOf(parents)} and tasks.id in (select id from untold)
          returning given.id
        ), inserted as (
          insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, created_at, run_at, request_id,
                             traceparent, parent_id)
          select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, created_at, now(), request_id,
                 traceparent, parent_id
          from given where id in (select id from noted)
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
  tags: tasks.tags,
  version: tasks.version,
  createdAt: tasks.createdAt,
  finishedAt: tasks.finishedAt,
  callbackUrl: tasks.callbackUrl,
  requestId: tasks.requestId,
  traceparent: tasks.traceparent,
}
