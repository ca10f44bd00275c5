// Finds finished tasks with a `callback_url` and creates their callbacks: tasks that post a finished task to
// that URL. One statement inserts the callback and sets `callback_id` in the finished task, so each end of a
// task has exactly one callback.

import { isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import type { NewTask } from './new-tasks.ts'
import type { TaskRow } from './schema.ts'
import { recordset } from './statements.ts'
import { selected, storedRequestId, TASK_COLUMNS } from './task-columns.ts'

/** A task that posts a finished task to its `callback_url`. `parentId` is the finished task. */
export interface Callback extends NewTask {
  parentId: string
  /** `version` of the finished task when it was read. If it has changed since, no callback is created. */
  parentVersion: number
}

/** A finished task whose callback still has to be created. */
export type EndedTask = Pick<TaskRow, (typeof ENDED)[number]>
export type CallbackStore = ReturnType<typeof createCallbackStore>

export function createCallbackStore(database: Database) {
  return {
    /**
     * Returns up to `limit` finished tasks whose callback still has to be created, except `exceptIds`, in the
     * order in which they finished. A partial index contains only such tasks, so the query is cheap if there
     * are none.
     */
    findEnded(limit: number, exceptIds: string[] = []): Promise<EndedTask[]> {
      const statement = sql`
        select ${ENDED_COLUMNS} from tasks
        where ${NEEDS_CALLBACK} and tasks.id <> all(${`{${exceptIds.join()}}`}::uuid[])
        order by tasks.finished_at limit ${limit}::int`
      return database.query(statement, { name: 'find_ended_tasks' })
    },

    /**
     * Inserts callbacks, due immediately, and sets `callback_id` of their finished tasks in one statement, so
     * that each end of a task gets one callback even if several workers try: setting `callback_id` changes the
     * version. The dispatcher enqueues them. Skips finished tasks that are locked or have changed since they were
     * read (for example by a retry).
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
      const statement = sql`
        with given as materialized (
          select * from ${recordset(records)} as given(id uuid, name text, queue text, input text, max_retries int,
            timeout_ms int, created_at timestamptz, request_uuid uuid, request_text text, traceparent text, parent_id uuid, parent_version int)
        ), locked as (
          -- Not a condition of this part: with it, Postgres could read the whole index of tasks that need a callback.
          select tasks.id, given.id as callback_id,
                 finished_at is not null and callback_url is not null and tasks.callback_id is null as is_needed
          from given join tasks on ${isKey('tasks.id', 'given.parent_id')}
          where tasks.version = given.parent_version
          for update of tasks skip locked
        ), updated as (
          update tasks set callback_id = locked.callback_id, version = tasks.version + 1 from locked
          where ${isKey('tasks.id', 'locked.id')} and locked.is_needed
          returning locked.callback_id
        ), inserted as (
          insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, created_at, run_at, request_uuid,
                             request_text, traceparent, parent_id)
          select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, created_at, now(), request_uuid,
                 request_text, traceparent, parent_id
          from given where (id in (select callback_id from updated)) is true
          returning id
        )
        select count(*)::int as count from inserted`
      const rows = await database.query<{ count: number }>(statement, { name: 'create_callbacks' })
      return rows[0]?.count ?? 0
    },
  }
}

const ENDED = [
  'id',
  'name',
  'queue',
  'status',
  'result',
  'error',
  'attempt',
  'tags',
  'version',
  'createdAt',
  'finishedAt',
  'callbackUrl',
  'requestId',
  'traceparent',
] as const satisfies (keyof TaskRow)[]

const ENDED_COLUMNS = selected(Object.fromEntries(ENDED.map((name) => [name, TASK_COLUMNS[name]])))

// The condition of the index `tasks_to_call_back`.
const NEEDS_CALLBACK = sql`tasks.finished_at is not null and tasks.callback_url is not null and tasks.callback_id is null`
