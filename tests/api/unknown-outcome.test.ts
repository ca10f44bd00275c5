// Statements that Postgres does not confirm: whether a task was accepted is then unknown, and the response
// says so.
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { createClient } from '../../src/client/client.ts'
import { sql } from '../../src/store/drizzle.ts'
import { type PostgresRelay, startPostgresRelay } from '../support/postgres-relay.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const serverUrl = inject('postgresUrl')
const UNKNOWN = {
  status: 504,
  body: { type: 'urn:waggle:problem:outcome_unknown', detail: expect.stringContaining('Idempotency-Key') },
}

describe.skipIf(serverUrl === null)('a statement without an answer', () => {
  let relay: PostgresRelay
  let system: TestSystem
  beforeAll(async () => {
    relay = await startPostgresRelay(serverUrl ?? '')
    system = await startSystem({ worker: false, connectThrough: relay.urlOf })
  })
  afterAll(async () => {
    await system?.stop()
    relay?.stop()
  })
  beforeEach(() => system.connections.database.query(sql`delete from tasks`))

  const submit = (headers = {}) =>
    system.request('POST', '/v1/tasks/reverse', { input: { text: 'a' } }, headers)

  test('a submission gets 504, although its task is committed', async () => {
    relay.loseAnswerTo('insert_tasks')
    expect(await submit()).toMatchObject(UNKNOWN)
    expect(await system.countByStatus()).toEqual({ PENDING: 1 })
  })

  test('a repeated submission with the same Idempotency-Key gets the committed task', async () => {
    const key = { 'Idempotency-Key': 'unknown-outcome' }
    relay.loseAnswerTo('insert_tasks_once')
    expect(await submit(key)).toMatchObject(UNKNOWN)
    const repeated = await submit(key)
    expect([repeated.status, repeated.headers.get('Idempotent-Replayed')]).toEqual([202, 'true'])
    expect(await system.countByStatus()).toEqual({ PENDING: 1 })
  })

  test('the submissions of its batch are not written a second time', async () => {
    relay.loseAnswerTo('insert_tasks')
    const responses = await Promise.all(Array.from({ length: 20 }, () => submit()))
    const statuses = new Set(responses.map(({ status }) => status))
    expect(statuses).toContain(504)
    // Those that were not in the lost batch are accepted.
    expect([...statuses].filter((status) => status !== 504 && status !== 202)).toEqual([])
    expect(await system.countByStatus()).toEqual({ PENDING: 20 })
  })

  test('a batch of which no task is known to be accepted gets 504', async () => {
    relay.loseAnswerTo('insert_tasks')
    const tasks = [
      { name: 'reverse', input: { text: 'a' } },
      { name: 'reverse', input: 1 },
    ]
    expect(await system.request('POST', '/v1/tasks/batch', { tasks })).toMatchObject(UNKNOWN)
    expect(await system.countByStatus()).toEqual({ PENDING: 1 })
  })

  test('form endpoints respond like the API', async () => {
    relay.loseAnswerTo('insert_tasks')
    expect(await system.request('POST', '/notify', { email: 'ada@example.com' })).toMatchObject(UNKNOWN)
  })

  test('a retry gets 504, a cancel gets 503', async () => {
    const { body: task }: { body: TaskView } = await submit()
    relay.loseAnswerTo('cancel_requested_at = coalesce')
    expect((await system.request('POST', `/v1/tasks/${task.id}/cancel`)).status).toBe(503)
    expect(await system.countByStatus()).toEqual({ CANCELLED: 1 })
    relay.loseAnswerTo('failures = 0')
    expect(await system.request('POST', `/v1/tasks/${task.id}/retry`)).toMatchObject({
      status: 504,
      body: { type: 'urn:waggle:problem:outcome_unknown', detail: expect.stringContaining('retry') },
    })
    expect(await system.countByStatus()).toEqual({ PENDING: 1 })
  })

  test('the client repeats a submission and gets the committed task', async () => {
    relay.loseAnswerTo('insert_tasks_once')
    const task = await createClient({ baseUrl: system.url }).submit('reverse', { text: 'a' })
    expect(await system.countByStatus()).toEqual({ PENDING: 1 })
    expect((await system.task(task.id)).id).toBe(task.id)
  })

  test('a submission whose statement Postgres has cancelled gets 503, and its task does not exist', async () => {
    const blocker = new pg.Client({ connectionString: system.database.url })
    await blocker.connect()
    onTestFinished(() => blocker.end())
    await blocker.query('begin; lock table tasks in exclusive mode')
    const response = submit()
    await until(
      async () =>
        (
          await blocker.query(`
            select pg_cancel_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`)
        ).rowCount,
      (count) => count === 1,
    )
    await blocker.query('rollback')
    expect(await response).toMatchObject({ status: 503, body: { type: 'urn:waggle:problem:unavailable' } })
    expect(await system.countByStatus()).toEqual({})
  })
})
