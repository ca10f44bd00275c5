// Counts and bulk actions: they work in parts, change each task once, and ignore tasks that were created
// later.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

interface BulkResult {
  changed: number
  skipped: number
  next_cursor: string | null
}

const UNKNOWN_ID = '01890000-0000-7000-8000-00000000abcd'

const gate = createGatedTask()
/** Causes for which the task "fragile" fails. */
const failingCauses = new Set<string>()
const fragile = defineTask({
  name: 'fragile',
  title: 'Fails while its cause is in failingCauses',
  description: 'for tests',
  input: z.object({ cause: z.string(), number: z.number().optional() }),
  output: z.string(),
  example: { cause: 'none' },
  maxRetries: 0,
  async run({ cause }) {
    if (failingCauses.has(cause)) throw new Error(`still ${cause}`)
    return 'well'
  },
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [gate.definition, fragile] })
})
afterAll(() => system.stop())

async function bulk(body: object, headers: Record<string, string> = {}): Promise<BulkResult> {
  const response = await system.request('POST', '/v1/tasks/bulk', body, headers)
  if (response.status !== 200) throw new Error(`Status ${response.status}: ${JSON.stringify(response.body)}`)
  return response.body
}

/** Runs a bulk action until there is no next_cursor, and sums up its parts. */
async function bulkAll(body: object, cursor?: string): Promise<BulkResult & { parts: number }> {
  const sum = { changed: 0, skipped: 0, next_cursor: cursor ?? null, parts: 0 }
  do {
    const done = await bulk({ ...body, ...(sum.next_cursor && { cursor: sum.next_cursor }) })
    sum.changed += done.changed
    sum.skipped += done.skipped
    sum.next_cursor = done.next_cursor
    sum.parts += 1
  } while (sum.next_cursor)
  return sum
}

async function submitMany(count: number, name: string, input: object, options: object): Promise<string[]> {
  const tasks = Array.from({ length: count }, () => ({ name, input, options }))
  const { body } = await system.request('POST', '/v1/tasks/batch', { tasks })
  return (body as { items: { id: string }[] }).items.map(({ id }) => id)
}

const countOf = async (query: Record<string, string>) => {
  const { status, body } = await system.request('GET', `/v1/tasks/count?${new URLSearchParams(query)}`)
  expect(status).toBe(200)
  return body as { count: number; first_cursor: string; next_cursor: string | null }
}

const untilCount = (query: Record<string, string>, wanted: number) =>
  until(
    () => countOf(query),
    ({ count }) => count === wanted,
  )

describe('a bulk action by ids', () => {
  test('changes and counts the tasks whose status allows it', async () => {
    const waiting = await system.submit('reverse', { text: 'a' }, { queue: 'unserved' })
    const finished = await system.submit('reverse', { text: 'a' })
    await system.taskWhenFinal(finished.id)
    const ids = [waiting.id, waiting.id.toUpperCase(), finished.id, UNKNOWN_ID]
    expect(await bulk({ action: 'cancel', ids })).toEqual({ changed: 1, skipped: 2, next_cursor: null })
    expect(await system.task(waiting.id)).toMatchObject({ status: 'CANCELLED' })
    expect(await bulk({ action: 'cancel', ids })).toEqual({ changed: 0, skipped: 3, next_cursor: null })
    expect(await bulk({ action: 'retry', ids })).toEqual({ changed: 1, skipped: 2, next_cursor: null })
    expect(await bulk({ action: 'retry', ids })).toEqual({ changed: 0, skipped: 3, next_cursor: null })
    expect(await system.task(waiting.id)).toMatchObject({ status: 'PENDING' })
    expect(await system.task(finished.id)).toMatchObject({ status: 'SUCCESS' })
  })

  test('makes workers stop the running tasks that it cancels', async () => {
    const ids = await submitMany(10, 'gated', { gate: 'never' }, { tags: ['stopped'] })
    await untilCount({ tag: 'stopped', status: 'STARTED' }, 10)
    expect(await bulk({ action: 'cancel', ids })).toMatchObject({ changed: 10, skipped: 0 })
    await untilCount({ tag: 'stopped', status: 'CANCELLED' }, 10)
  })

  test('retries 1,000 tasks in one request, and they run', async () => {
    failingCauses.add('storm')
    const ids = await submitMany(1_000, 'fragile', { cause: 'storm' }, { tags: ['storm'] })
    await untilCount({ tag: 'storm', status: 'FAILURE' }, 1_000)
    failingCauses.delete('storm')
    expect(await bulk({ action: 'retry', ids })).toMatchObject({ changed: 1_000, skipped: 0 })
    await untilCount({ tag: 'storm', status: 'SUCCESS' }, 1_000)
  })

  test('ends long polls of the tasks that it cancels', async () => {
    const { id } = await system.submit('reverse', { text: 'a' }, { queue: 'unserved' })
    const waiting = system.request('GET', `/v1/tasks/${id}?wait=30`)
    await bulk({ action: 'cancel', ids: [id] })
    expect((await waiting).body).toMatchObject({ status: 'CANCELLED' })
  })
})

describe('a bulk action by filter', () => {
  test('retries exactly the tasks that match', async () => {
    failingCauses.add('flood')
    await submitMany(200, 'fragile', { cause: 'flood', number: 1 }, { tags: ['flood'] })
    await submitMany(3, 'fragile', { cause: 'flood', number: 2 }, { tags: ['flood'] })
    await untilCount({ tag: 'flood', status: 'FAILURE' }, 203)
    failingCauses.delete('flood')
    const filter = { status: 'FAILURE', tag: 'flood', 'input.number': '1' }
    expect((await countOf(filter)).count).toBe(200)
    expect(await bulkAll({ action: 'retry', filter })).toMatchObject({ changed: 200, skipped: 0 })
    await untilCount({ tag: 'flood', status: 'SUCCESS' }, 200)
    expect((await countOf({ tag: 'flood', status: 'FAILURE' })).count).toBe(3)
    expect(await bulkAll({ action: 'retry', filter })).toMatchObject({ changed: 0, skipped: 0 })
  })

  test('skips matching tasks whose status does not allow it', async () => {
    const ids = await submitMany(4, 'reverse', { text: 'a' }, { tags: ['mixed'], queue: 'unserved' })
    await bulk({ action: 'cancel', ids: ids.slice(0, 1) })
    const filter = { tag: 'mixed' }
    expect(await bulkAll({ action: 'cancel', filter })).toMatchObject({ changed: 3, skipped: 1 })
    expect(await bulkAll({ action: 'cancel', filter })).toMatchObject({ changed: 0, skipped: 4 })
  })

  test('ignores tasks that were created after the count, if it starts from first_cursor', async () => {
    const options = { tags: ['later'], queue: 'unserved' }
    await submitMany(3, 'reverse', { text: 'a' }, options)
    const filter = { tag: 'later' }
    const { count, first_cursor } = await countOf(filter)
    const later = await system.submit('reverse', { text: 'a' }, options)
    expect(count).toBe(3)
    expect(await bulkAll({ action: 'cancel', filter }, first_cursor)).toMatchObject({ changed: 3 })
    expect(await system.task(later.id)).toMatchObject({ status: 'PENDING' })
    // A count from the same cursor returns the same number.
    expect(await countOf({ ...filter, cursor: first_cursor })).toMatchObject({ count: 3, first_cursor })
  })

  test('does not replay its own replays, also when a clock is ahead', async () => {
    const ids = await submitMany(250, 'reverse', { text: 'a' }, { tags: ['again'], queue: 'unserved' })
    // The id of a task from a process whose clock is an hour ahead.
    const ahead = newId(Date.now() + 3_600_000)
    await system.connections.database.query(sql`update tasks set id = ${ahead} where id = ${ids[0]}`)
    const done = await bulkAll({ action: 'replay', filter: { tag: 'again' } })
    expect(done).toMatchObject({ changed: 250, skipped: 0, parts: 3 })
    const { body } = await system.request('GET', '/v1/tasks?tag=again&limit=200&compact=true')
    const { data } = body as { data: TaskView[] }
    const replay = data.find(({ replayed_from }) => replayed_from === ahead)
    expect(replay && replay.id > ahead).toBe(true)
    expect((await countOf({ tag: 'again' })).count).toBe(500)
    // Other tests expect that new tasks are the newest.
    await system.connections.database.query(sql`delete from tasks where id >= ${ahead}`)
  })

  test('with an Idempotency-Key replays every task once, also when the request is repeated', async () => {
    await submitMany(5, 'reverse', { text: 'a' }, { tags: ['once'], queue: 'unserved' })
    const { first_cursor: cursor } = await countOf({ tag: 'once' })
    const action = { action: 'replay', filter: { tag: 'once' }, cursor }
    const headers = { 'Idempotency-Key': 'a-key' }
    const [first, second] = [await bulk(action, headers), await bulk(action, headers)]
    expect([first.changed, second.changed]).toEqual([5, 5])
    expect((await countOf({ tag: 'once' })).count).toBe(10)
  })

  test('skips replays of inputs that the definition does not accept any more', async () => {
    const [id = ''] = await submitMany(2, 'reverse', { text: 'a' }, { tags: ['outdated'], queue: 'unserved' })
    await system.connections.database.query(sql`update tasks set input = '{}' where id = ${id}`)
    const done = await bulkAll({ action: 'replay', filter: { tag: 'outdated' } })
    expect(done).toMatchObject({ changed: 1, skipped: 1 })
  })

  test('reaches old tasks in several parts', async () => {
    const own = await startSystem({ worker: false })
    await own.connections.database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
      select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
             case when n = 1 then 'sentiment' else 'reverse' end, 'q', 'PENDING', '{}', 3, 1000, now(), now()
      from generate_series(1, 70000) as n`)
    let cursor: string | null = null
    let [changed, parts] = [0, 0]
    do {
      const { body } = await own.request('POST', '/v1/tasks/bulk', {
        action: 'cancel',
        filter: { name: 'sentiment' },
        ...(cursor && { cursor }),
      })
      const done = body as BulkResult
      changed += done.changed
      parts += 1
      cursor = done.next_cursor
    } while (cursor)
    expect([changed, parts]).toEqual([1, 3])
    await own.stop()
  })
})

describe('the columns of a task agree with its status', () => {
  const inconsistentTasks = () =>
    system.connections.database.query(sql`
      select id, status from tasks
      where status = 'FAILURE' and (finished_at is null or error is null)
         or status = 'CANCELLED' and (finished_at is null or cancel_requested_at is null)
         or status in ('PENDING', 'STARTED', 'RETRY') and finished_at is not null`)

  test('after all tests of this file a FAILURE has an error and a CANCELLED task a cancellation request', async () => {
    expect(await countOf({ status: 'FAILURE,CANCELLED' })).toMatchObject({
      count: expect.toSatisfy((n) => n > 10),
    })
    expect(await inconsistentTasks()).toEqual([])
  })

  test('also when an attempt is stopped by a signal that arrives after a retry has removed the request', async () => {
    const { taskStore } = system.connections
    const { id } = await system.submit('reverse', { text: 'a' }, { queue: 'unserved' })
    const workerId = newId()
    await taskStore.claimMany([{ id, attempt: 0, workerId, isRepeated: false }])
    await taskStore.finishMany([{ id, attempt: 1, workerId, decision: { status: 'CANCELLED', failures: 0 } }])
    expect(await inconsistentTasks()).toEqual([])
    expect((await countOf({ id, status: 'CANCELLED' })).count).toBe(1)
  })

  test('also when a task without retries is abandoned', async () => {
    const { taskStore } = system.connections
    const { id } = await system.submit('reverse', { text: 'a' }, { queue: 'unserved', max_retries: 0 })
    const workerId = newId()
    await taskStore.claimMany([{ id, attempt: 0, workerId, isRepeated: false }])
    // Started an hour ago by a worker that does not exist.
    await system.connections.database.query(
      sql`update tasks set started_at = now() - interval '1 hour' where id = ${id}`,
    )
    await system.taskWhen(id, ({ status }) => status === 'FAILURE')
    expect((await countOf({ id, status: 'FAILURE' })).count).toBe(1)
    expect(await inconsistentTasks()).toEqual([])
  })
})

describe('an invalid bulk action is rejected', () => {
  const ids = [UNKNOWN_ID]
  test.each<[string, unknown, string]>([
    ['neither ids nor filter', { action: 'cancel' }, '#'],
    ['ids and filter', { action: 'cancel', ids, filter: {} }, '#'],
    ['no action', { ids }, '#/action'],
    ['an unknown action', { action: 'delete', ids }, '#/action'],
    ['an empty list of ids', { action: 'cancel', ids: [] }, '#/ids'],
    ['more than 1,000 ids', { action: 'cancel', ids: new Array(1_001).fill(UNKNOWN_ID) }, '#/ids'],
    ['an invalid id', { action: 'cancel', ids: [UNKNOWN_ID, "';--"] }, '#/ids/1'],
    ['an id that is not a string', { action: 'cancel', ids: [1] }, '#/ids/0'],
    ['ids with a cursor', { action: 'cancel', ids, cursor: UNKNOWN_ID }, '#/cursor'],
    ['an invalid cursor', { action: 'cancel', filter: {}, cursor: '1' }, '#/cursor'],
    ['an unknown filter', { action: 'cancel', filter: { statuss: 'FAILURE' } }, '#/filter/statuss'],
    ['a parameter of the list', { action: 'cancel', filter: { limit: '1' } }, '#/filter/limit'],
    ['an unknown status', { action: 'cancel', filter: { status: 'FAILURE,LOST' } }, '#/filter/status/1'],
    ['a list instead of a string', { action: 'cancel', filter: { status: ['FAILURE'] } }, '#/filter/status'],
    ['an empty path', { action: 'cancel', filter: { 'input.': 'x' } }, '#/filter/input.'],
    ['a NUL', { action: 'cancel', filter: { 'input.a': '\0' } }, '#/filter/input.a'],
    ['a lone surrogate', { action: 'cancel', filter: { 'input.a': '\ud800' } }, '#/filter/input.a'],
    ['a number', { action: 'cancel', filter: { 'input.a': 1 } }, '#/filter/input.a'],
    ['null for a filter', { action: 'cancel', filter: null }, '#/filter'],
    ['a list for a filter', { action: 'cancel', filter: [] }, '#/filter'],
    ['an unknown member', { action: 'cancel', ids, more: 1 }, '#/more'],
  ])('%s', async (_what, body, pointer) => {
    const response = await system.request('POST', '/v1/tasks/bulk', body)
    const { errors } = response.body as { errors: { pointer: string; detail: string }[] }
    expect([response.status, errors.map((error) => error.pointer)]).toEqual([
      422,
      expect.arrayContaining([pointer]),
    ])
  })

  test('a filter in __proto__ is rejected and does not match all tasks', async () => {
    const response = await fetch(`${system.url}/v1/tasks/bulk`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"action":"cancel","filter":{"__proto__":{"status":"FAILURE"}}}',
    })
    expect(response.status).toBe(422)
  })

  test('bulk actions need the scope "operate", counts the scope "read"', async () => {
    const keys = createTestKeys({ reader: ['read'], submitter: ['submit'], operator: ['operate'] })
    const own = await startSystem({ worker: false, apiKeys: keys.apiKeys })
    const statusOf = async (method: string, path: string, key: string, body?: object) => {
      const headers = { Authorization: `Bearer ${keys.key(key)}` }
      return (await own.request(method, path, body, headers)).status
    }
    const action = { action: 'cancel', filter: {} }
    expect(await statusOf('POST', '/v1/tasks/bulk', 'reader', action)).toBe(403)
    expect(await statusOf('POST', '/v1/tasks/bulk', 'submitter', action)).toBe(403)
    expect(await statusOf('POST', '/v1/tasks/bulk', 'operator', action)).toBe(200)
    expect(await statusOf('GET', '/v1/tasks/count', 'reader')).toBe(200)
    expect(await statusOf('GET', '/v1/tasks/count', 'operator')).toBe(403)
    await own.stop()
  })
})
