// Rows that statements return directly are equal to those that Drizzle's query builder maps to the schema.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { createCallbackStore } from '../../src/store/callback-store.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { eq, sql } from '../../src/store/drizzle.ts'
import { createLogStore } from '../../src/store/log-store.ts'
import { attempts, taskLogs, tasks } from '../../src/store/schema.ts'
import { TASK_COLUMNS } from '../../src/store/task-columns.ts'
import { createTaskReader } from '../../src/store/task-reader.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const full = newId()
const sparse = newId()
// Numbers that a double cannot represent, and an escape that `jsonb` does not accept.
const JSON_TEXT = '{"b":[9007199254740993,1.5],"a":"\\u0000"}'

describe.each(inject('postgresUrl') === null ? ['PGlite'] : ['a server', 'PGlite'])('%s', (kind) => {
  let testDatabase: TestDatabase | undefined
  let database: Database

  beforeAll(async () => {
    if (kind === 'a server') testDatabase = await createTestDatabase()
    database = await openDatabase(testDatabase?.url ?? 'pglite:')
    await database.migrate()
    await database.query(sql`
      insert into tasks (id, worker_id, request_uuid, run_at, created_at, enqueued_at, started_at, finished_at,
        cancel_requested_at, attempt, failures, max_retries, timeout_ms, version, progress_fraction, crashes, is_isolated,
        name, queue, status, input, result, error, progress_message, tags, replayed_from, traceparent, parent_id, callback_url)
      values (${full}::uuid, ${newId()}::uuid, ${newId()}::uuid, now(), now(), now(), now(), now(), now(), 7, 2, 3, 1000,
        9, 0.1, 4, true, 'reverse', 'a', 'FAILURE', ${JSON_TEXT}::json, ${JSON_TEXT}::json,
        '{"name":"Error","message":"no","retryable":true}', 'half', array['x', 'a,"b'], ${newId()}::uuid, 'trace',
        ${newId()}::uuid, 'http://localhost/')`)
    await database.query(sql`
      insert into tasks (id, run_at, created_at, max_retries, timeout_ms, name, queue, status, input, request_text)
      values (${sparse}::uuid, now(), now(), 0, 1, 'reverse', 'a', 'PENDING', '1e400', 'order 1')`)
    await database.query(sql`
      insert into attempts (task_id, attempt, error, worker_id, started_at, refused)
      values (${full}::uuid, 2, '{"name":"B"}', null, null, null),
             (${full}::uuid, 1, '{"name":"A"}', ${newId()}::uuid, now(), ${JSON_TEXT}::json)`)
    await database.query(sql`
      insert into task_logs (task_id, attempt, at, message, fields)
      values (${full}::uuid, 1, now(), 'one', null), (${full}::uuid, 1, now(), 'two', ${JSON_TEXT}::json)`)
  })
  afterAll(async () => {
    await database?.close()
    await testDatabase?.drop()
  })

  test.each([full, sparse])('a task', async (id) => {
    const [expected] = await database.use((drizzle) =>
      drizzle.select(TASK_COLUMNS).from(tasks).where(eq(tasks.id, id)),
    )
    const row = await createTaskReader(database.reads).find(id)
    expect(row).toStrictEqual(expected)
    expect(row?.createdAt).toBeInstanceOf(Date)
    expect(row?.tags).toEqual(id === full ? ['x', 'a,"b'] : [])
  })

  test('an unknown task', async () => {
    expect(await createTaskReader(database.reads).find(newId())).toBeUndefined()
  })

  test('a finished task without its callback', async () => {
    const task = await createTaskReader(database.reads).find(full)
    const [ended] = await createCallbackStore(database).findEnded(10)
    expect(ended).toStrictEqual(
      Object.fromEntries(Object.keys(ended ?? {}).map((name) => [name, task?.[name as 'id']])),
    )
    expect(ended).toMatchObject({ id: full, attempt: 7, version: 9 })
  })

  test('attempts, in their order', async () => {
    const expected = await database.use((drizzle) =>
      drizzle.select().from(attempts).where(eq(attempts.taskId, full)).orderBy(attempts.attempt),
    )
    const rows = await createTaskReader(database.reads).attemptsOf(full)
    expect(rows).toStrictEqual(expected)
    expect(rows.map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  test('log lines after a cursor', async () => {
    const expected = await database.use((drizzle) =>
      drizzle.select().from(taskLogs).where(eq(taskLogs.taskId, full)).orderBy(taskLogs.id),
    )
    const logs = createLogStore(database)
    const lines = await logs.list(full, { after: 0, limit: 10 })
    expect(lines).toStrictEqual(expected)
    expect(await logs.list(full, { after: lines[0]?.id ?? 0, limit: 10 })).toStrictEqual(expected.slice(1))
  })
})
