// Inserts tasks that were submitted and have ended long ago.
import { newId } from '../../src/base/uuidv7.ts'
import type { Database } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'

const DAY_MS = 86_400_000

export interface OldTask {
  name?: string
  status?: string
  createdDaysAgo?: number
  /** Null for an unfinished task. */
  finishedDaysAgo?: number | null
  callbackUrl?: string
  callbackId?: string
}

/** Inserts a task with an attempt and a log line. By default it has ended 39 days ago. @returns its id */
export async function insertOldTask(
  database: Database,
  {
    name = 'reverse',
    status = 'SUCCESS',
    createdDaysAgo = 40,
    finishedDaysAgo = 39,
    callbackUrl,
    callbackId,
  }: OldTask = {},
): Promise<string> {
  const createdAtMs = Date.now() - createdDaysAgo * DAY_MS
  const id = newId(createdAtMs)
  const created = sql`to_timestamp(${createdAtMs / 1_000}::float8)`
  const error = status === 'FAILURE' ? '{"name":"Error","message":"no","retryable":true}' : null
  await database.query(sql`
    insert into tasks (id, name, queue, status, input, error, max_retries, timeout_ms, run_at, created_at, finished_at,
                       cancel_requested_at, callback_url, callback_id)
    values (${id}, ${name}, 'unused', ${status}, '{}', ${error}::json, 0, 1000, ${created}, ${created},
            now() - ${finishedDaysAgo}::float8 * interval '1 day', case when ${status} = 'CANCELLED' then now() end,
            ${callbackUrl ?? null}::text, ${callbackId ?? null}::uuid)`)
  await database.query(sql`insert into attempts (task_id, attempt, error) values (${id}, 1, '{}')`)
  await database.query(
    sql`insert into task_logs (task_id, attempt, at, message) values (${id}, 1, now(), 'said')`,
  )
  return id
}

/**
 * Returns the ids of all tasks, sorted.
 * @throws Error if a task has no attempt or log, or an attempt or log has no task
 */
export async function remainingTasks(database: Database): Promise<string[]> {
  const rows = await database.query<{ tasks: string[]; attempts: string[]; logs: string[] }>(sql`
    select array(select id::text from tasks order by id) as tasks,
           array(select task_id::text from attempts order by task_id) as attempts,
           array(select task_id::text from task_logs order by task_id) as logs`)
  const [{ tasks, attempts, logs }] = rows as [(typeof rows)[number]]
  if (String(attempts) !== String(tasks) || String(logs) !== String(tasks))
    throw new Error(`Attempts or logs differ from the tasks: ${JSON.stringify({ tasks, attempts, logs })}`)
  return tasks
}
