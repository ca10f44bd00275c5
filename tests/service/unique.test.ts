// Unique tasks: what a submission does that meets another task of its key.
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ApiEnv } from '../../src/api/http/request-context.ts'
import { createRouteTools } from '../../src/api/project-routes.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { NO_SERVICES } from '../../src/definitions/services.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createUniqueDefinitions, type UniqueRuns } from '../support/unique-definitions.ts'

let system: TestSystem
let runs: UniqueRuns
beforeEach(async () => {
  const unique = createUniqueDefinitions()
  runs = unique.runs
  system = await startSystem({ definitions: unique.definitions, worker: false })
})
afterEach(() => system.stop())

interface Answer {
  status: number
  headers: Headers
  body: TaskView
}

function post(name: string, input: object, headers = {}, options?: object): Promise<Answer> {
  return system.request('POST', `/v1/tasks/${name}`, { input, options }, headers)
}

async function logOf(id: string) {
  const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
  return (body as { data: { attempt: number; message: string; fields: Record<string, unknown> }[] }).data
}

const query: TestSystem['connections']['database']['query'] = (statement) =>
  system.connections.database.query(statement)

async function countTasks(): Promise<number> {
  return Object.values(await system.countByStatus()).reduce((sum, count) => sum + count, 0)
}

const isStatus =
  (status: string) =>
  (task: { status: string }): boolean =>
    task.status === status

describe('a submission that meets a task', () => {
  test('gets that task with status 200, as it is now', async () => {
    const first = await post('until_finished', { n: 1 }, {}, { tags: ['first'] })
    expect([first.status, first.body.is_existing]).toEqual([202, undefined])
    const second = await post('until_finished', { n: 2 }, {}, { tags: ['second'] })
    expect(second.status).toBe(200)
    expect(second.headers.get('Location')).toBe(`/v1/tasks/${first.body.id}`)
    expect(second.headers.get('Idempotent-Replayed')).toBeNull()
    expect(second.body).toEqual({ ...first.body, is_existing: true })
    expect(await countTasks()).toBe(1)
    expect((await post('until_finished', { key: 'b' })).status).toBe(202)
  })

  test('without a key function all tasks of the definition meet each other', async () => {
    const first = await post('one_at_all', { key: 'a' })
    expect((await post('one_at_all', { key: 'b' })).body.id).toBe(first.body.id)
  })

  test('until started: no longer when the first attempt has started, also if it is retried', async () => {
    const first = await post('until_started', { n: 1, does: 'fail forever' })
    expect((await post('until_started', { n: 2 })).body.id).toBe(first.body.id)
    const worker = system.startWorker()
    await system.taskWhen(first.body.id, ({ attempt }) => attempt > 0)
    await worker.stop(0)
    const next = await post('until_started', { n: 3 })
    expect([next.status, next.body.id === first.body.id]).toEqual([202, false])
    expect((await post('until_started', { n: 4 })).body.id).toBe(next.body.id)
  })

  test('until finished: also while it runs and between its attempts, no longer when it has ended', async () => {
    system.startWorker()
    const first = await post('until_finished', { does: 'hold' })
    await system.taskWhen(first.body.id, isStatus('STARTED'))
    expect((await post('until_finished', {})).body).toMatchObject({ id: first.body.id, status: 'STARTED' })
    runs.isGateOpen = true
    await system.taskWhenFinal(first.body.id)
    expect((await post('until_finished', {})).status).toBe(202)
  })

  test('until a time: whatever its status', async () => {
    system.startWorker()
    const first = await post('for_an_hour', { n: 1 })
    await system.taskWhenFinal(first.body.id)
    const second = await post('for_an_hour', { n: 2 })
    expect(second.status).toBe(200)
    expect(second.body).toMatchObject({ id: first.body.id, status: 'SUCCESS', result: { n: 1 } })
    const sentAtMs = performance.now()
    expect((await post('for_a_second', {})).status).toBe(202)
    await until(
      () => post('for_a_second', {}),
      ({ status }) => status === 202,
    )
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(990)
  })

  test('a cancelled task is met no more', async () => {
    const first = await post('until_finished', {})
    await system.service.cancel(first.body.id)
    expect((await post('until_finished', {})).status).toBe(202)
  })

  test('in a batch, and two of one batch', async () => {
    const first = await post('until_finished', { key: 'a' })
    const tasks = ['a', 'b', 'b', 'c'].map((key) => ({ name: 'until_finished', input: { key } }))
    const { status, body } = await system.request('POST', '/v1/tasks/batch', { tasks })
    const { items } = body as { items: { id: string; is_existing?: boolean }[] }
    expect(status).toBe(202)
    expect(items.map(({ is_existing }) => is_existing)).toEqual([true, undefined, true, undefined])
    expect(items[0]?.id).toBe(first.body.id)
    expect(items[1]?.id).toBe(items[2]?.id)
    expect(await countTasks()).toBe(3)
  })

  test('a replay', async () => {
    const first = await post('until_finished', { n: 1 })
    const replay = await system.request('POST', `/v1/tasks/${first.body.id}/replay`, {})
    expect(replay).toMatchObject({ status: 200, body: { id: first.body.id, is_existing: true } })
    const bulk = await system.request('POST', '/v1/tasks/bulk', { action: 'replay', ids: [first.body.id] })
    expect(bulk.body).toMatchObject({ changed: 0, skipped: 1 })
  })
})

describe('replace', () => {
  test('gives a waiting task the new input, and keeps the replaced one in its log', async () => {
    const first = await post('replaced', { n: 1, secret: 'abc' }, {}, { tags: ['first'] })
    const second = await post('replaced', { n: 2 }, { 'X-Request-Id': 'the-second' })
    expect(second.status).toBe(200)
    expect(second.body).toMatchObject({
      id: first.body.id,
      input: { n: 2 },
      tags: ['first'],
      is_existing: true,
    })
    expect(await logOf(first.body.id)).toMatchObject([
      {
        attempt: 0,
        message: 'A later submission has replaced the input',
        fields: { replaced_input: { n: 1, secret: '[sensitive]' }, request_id: 'the-second' },
      },
    ])
    system.startWorker()
    expect(await system.taskWhenFinal(first.body.id)).toMatchObject({ result: { n: 2 } })
    expect(runs.started).toMatchObject([{ n: 2 }])
  })

  test('with an equal input changes nothing', async () => {
    const first = await post('replaced', { n: 1 })
    await post('replaced', { n: 1 })
    expect(await logOf(first.body.id)).toEqual([])
  })

  test('in one batch the last input counts, and all others are in the log', async () => {
    const tasks = [1, 2, 3].map((n) => ({ name: 'replaced', input: { n } }))
    const { body } = await system.request('POST', '/v1/tasks/batch', { tasks })
    const { items } = body as { items: { id: string }[] }
    const id = items[0]?.id ?? ''
    expect(new Set(items.map((item) => item.id))).toEqual(new Set([id]))
    expect(await system.task(id)).toMatchObject({ input: { n: 3 } })
    expect((await logOf(id)).map(({ fields }) => (fields.replaced_input as { n: number }).n)).toEqual([1, 2])
  })

  test('does not change a running task, which is met until it has finished', async () => {
    system.startWorker()
    const first = await post('replaced_until_finished', { n: 1, does: 'hold' })
    await system.taskWhen(first.body.id, isStatus('STARTED'))
    const second = await post('replaced_until_finished', { n: 2 })
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, input: { n: 1 } } })
    runs.isGateOpen = true
    expect(await system.taskWhenFinal(first.body.id)).toMatchObject({ result: { n: 1 } })
    expect(await logOf(first.body.id)).toEqual([])
  })

  test('gives a task that waits for its retry the new input', async () => {
    system.startWorker()
    const first = await post('replaced_until_finished', { n: 1, does: 'fail slowly' })
    await system.taskWhen(first.body.id, isStatus('RETRY'))
    const second = await post('replaced_until_finished', { n: 2 })
    expect(second.body).toMatchObject({ id: first.body.id, status: 'RETRY', input: { n: 2 } })
    // The retry keeps its delay.
    expect(second.body.run_at).toBe((await system.task(first.body.id)).run_at)
    expect(await logOf(first.body.id)).toMatchObject([{ attempt: 1, fields: { replaced_input: { n: 1 } } }])
    expect(await system.taskWhenFinal(first.body.id)).toMatchObject({ result: { n: 2 }, attempt: 2 })
  })

  test('moves a held task to the limits of its new input', async () => {
    const first = await post('replaced_and_limited', { key: 'a', n: 1, does: 'hold' })
    await system.service.whenEnqueued()
    system.startWorker()
    await system.taskWhen(first.body.id, isStatus('STARTED'))
    // Waits for the slot of the key "a", until it gets the key "b".
    const waiting = await post('replaced_and_limited', { key: 'a', n: 2 })
    expect(waiting.status).toBe(202)
    const replaced = await post('replaced_and_limited', { key: 'b', n: 3 })
    expect(replaced.body.id).toBe(waiting.body.id)
    expect(await system.taskWhenFinal(waiting.body.id)).toMatchObject({ result: { n: 3 } })
    runs.isGateOpen = true
    await system.taskWhenFinal(first.body.id)
  })
})

describe('debounce', () => {
  test('delays the start after each submission again, at most as long as the definition says', async () => {
    const first = await post('debounced', { n: 1 })
    const startOf = ({ body }: Answer) => Date.parse(body.run_at)
    const createdMs = Date.parse(first.body.created_at)
    expect(startOf(first) - createdMs).toBeGreaterThan(59_000)
    expect(startOf(first) - createdMs).toBeLessThan(75_000)
    expect((await system.task(first.body.id)).run_at).toBe(first.body.run_at)
    const second = await post('debounced', { n: 2 })
    expect(second.body).toMatchObject({ id: first.body.id, input: { n: 2 }, is_existing: true })
    expect(startOf(second)).toBeGreaterThan(startOf(first))
    // As if the first submission was 40 s ago: the next one delays the start by 50 s instead of 60.
    await query(sql`update unique_tasks set first_at = first_at - interval '40 s'`)
    await query(sql`update tasks set run_at = run_at - interval '40 s'`)
    const third = await post('debounced', { n: 3 })
    const [key] = await query<{ ms: number }>(
      sql`select extract(epoch from first_at)::float8 * 1000 as ms from unique_tasks`,
    )
    expect(Math.abs(startOf(third) - (key?.ms ?? 0) - 90_000)).toBeLessThanOrEqual(1)
    // After the maximum, the start does not move.
    await query(sql`update unique_tasks set first_at = first_at - interval '1 hour'`)
    expect(startOf(await post('debounced', { n: 4 }))).toBe(startOf(third))
    expect((await logOf(first.body.id)).map(({ fields }) => fields.replaced_input)).toMatchObject([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ])
  })

  test('runs once, with the last input', async () => {
    system.startWorker()
    const first = await post('debounced_briefly', { n: 0 })
    let last = first
    for (let n = 1; n <= 5; n++) last = await post('debounced_briefly', { n })
    const done = await system.taskWhenFinal(first.body.id)
    expect(done).toMatchObject({ result: { n: 5 } })
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(last.body.run_at))
    expect(runs.started).toHaveLength(1)
  })

  test('a task that is due and has not started yet waits again', async () => {
    await query(sql`insert into paused_queues (name) values ('default')`)
    const first = await post('debounced_briefly', { n: 1 })
    await until(
      async () => Date.now(),
      (nowMs) => nowMs > Date.parse(first.body.run_at),
    )
    const second = await post('debounced_briefly', { n: 2 })
    expect(Date.parse(second.body.run_at)).toBeGreaterThan(Date.parse(first.body.run_at))
    // A reference that is in Redis already, from before the second submission.
    const { taskStore } = system.connections
    await query(sql`delete from paused_queues`)
    await query(sql`update tasks set run_at = now() + interval '1 hour'`)
    const claim = { id: first.body.id, attempt: 0, workerId: newId(), isRepeated: false }
    expect(await taskStore.claimMany([claim])).toEqual([null])
  })

  test('a held task starts later, too', async () => {
    system.startWorker()
    const first = await post('debounced_and_limited', { n: 1 })
    await system.service.whenEnqueued()
    const second = await post('debounced_and_limited', { n: 2 })
    const third = await post('debounced_and_limited', { key: 'b', n: 3 })
    expect(third.body.id).toBe(first.body.id)
    expect(Date.parse(third.body.run_at)).toBeGreaterThanOrEqual(Date.parse(second.body.run_at))
    const done = await system.taskWhenFinal(first.body.id)
    expect(done).toMatchObject({ result: { n: 3 } })
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(third.body.run_at))
    const [held] = await query<{ count: number }>(sql`select count(*)::int as count from held_tasks`)
    expect(held?.count).toBe(0)
  })
})

describe('an Idempotency-Key', () => {
  const withKey = (key: string) => ({ 'Idempotency-Key': key })

  test('decides first: a repetition of the first submission gets its response again', async () => {
    const first = await post('replaced', { n: 1 }, withKey('a'))
    await post('replaced', { n: 2 }, withKey('b'))
    const again = await post('replaced', { n: 1 }, withKey('a'))
    expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([202, 'true'])
    expect(again.body).toEqual(first.body)
    // The repetition has not replaced the input of the second submission.
    expect(await system.task(first.body.id)).toMatchObject({ input: { n: 2 } })
    expect((await post('replaced', { n: 9 }, withKey('a'))).status).toBe(422)
  })

  test('of a submission that has met a task gets that task again, also after it has ended', async () => {
    const first = await post('until_finished', { n: 1 })
    const second = await post('until_finished', { n: 2 }, withKey('c'))
    expect([second.status, second.body.id]).toEqual([200, first.body.id])
    system.startWorker()
    await system.taskWhenFinal(first.body.id)
    const again = await post('until_finished', { n: 2 }, withKey('c'))
    expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([200, 'true'])
    expect(again.body).toMatchObject({ id: first.body.id, status: 'SUCCESS', is_existing: true })
    await query(sql`delete from tasks`)
    const removed = await post('until_finished', { n: 2 }, withKey('c'))
    expect([removed.status, removed.body.id]).toEqual([200, first.body.id])
  })

  test('the first response to a debounced submission has its start', async () => {
    const first = await post('debounced', { n: 1 }, withKey('d'))
    expect((await post('debounced', { n: 1 }, withKey('d'))).body).toEqual(first.body)
  })

  test('of a batch', async () => {
    const tasks = [1, 2].map((n) => ({ name: 'until_finished', input: { n } }))
    const submit = () => system.request('POST', '/v1/tasks/batch', { tasks }, withKey('e'))
    const first = await submit()
    const again = await submit()
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(await countTasks()).toBe(1)
  })
})

describe('a manual retry', () => {
  const retry = (id: string) => system.request('POST', `/v1/tasks/${id}/retry`)

  test('of a task is refused while another one of its key is met', async () => {
    const [first, second] = [await cancelled('until_finished'), await post('until_finished', {})]
    const refused = await retry(first)
    expect(refused).toMatchObject({
      status: 409,
      body: {
        type: 'urn:waggle:problem:unique_task_exists',
        detail: expect.stringContaining(`${second.body.id} has the same unique key`),
      },
    })
    expect(await system.task(first)).toMatchObject({ status: 'CANCELLED' })
    await system.service.cancel(second.body.id)
    expect((await retry(first)).status).toBe(202)
    expect((await post('until_finished', {})).body.id).toBe(first)
    expect(await retry(first)).toMatchObject({
      status: 409,
      body: { type: 'urn:waggle:problem:not_finished' },
    })
  })

  test('of many tasks of one key retries one of them', async () => {
    const ids = [await cancelled('until_finished'), await cancelled('until_finished')]
    const others = [await cancelled('until_finished', 'b'), await cancelled('reverse')]
    const { body } = await system.request('POST', '/v1/tasks/bulk', {
      action: 'retry',
      ids: [...ids, ...others],
    })
    expect(body).toMatchObject({ changed: 3, skipped: 1 })
  })

  test('until started: only a task that has never started must be the only one', async () => {
    const worker = system.startWorker()
    const failed = await post('until_started', { does: 'fail forever' })
    await system.taskWhenFinal(failed.body.id)
    await worker.stop(0)
    const never = await cancelled('until_started')
    const waiting = await post('until_started', {})
    expect((await retry(never)).status).toBe(409)
    expect((await retry(failed.body.id)).status).toBe(202)
    expect((await post('until_started', {})).body.id).toBe(waiting.body.id)
  })

  test('until a time: is always possible', async () => {
    const first = await cancelled('for_an_hour')
    expect((await retry(first)).status).toBe(202)
    expect((await post('for_an_hour', {})).body.id).toBe(first)
  })

  async function cancelled(name: string, key = 'a'): Promise<string> {
    const { id } = await system.submit(name, name === 'reverse' ? { text: 'ab' } : { key })
    await system.service.cancel(id)
    return id
  }
})

test.each([
  ['throw', 'unique.key has thrown for this input: no such customer'],
  ['number', 'unique.key must return a string for this input, not 1'],
  ['long', 'unique.key must return 1 to 200 characters for this input, not 201'],
  ['', 'unique.key must return 1 to 200 characters for this input, not 0'],
])('a key function that fails for an input is an error of the submission: %j', async (key, detail) => {
  const { status, body } = await post('bad_key', { key })
  expect(status).toBe(422)
  expect(body).toMatchObject({ detail: expect.stringContaining(`Task "bad_key": ${detail}`) })
})

test('a route of a project learns that its submission has met a task', async () => {
  const tools = createRouteTools(system.dependencies, NO_SERVICES)
  const app = new Hono<ApiEnv>().post('/order', async (c) =>
    c.json(await tools.submit(c, 'until_finished', {})),
  )
  const order = async () => (await (await app.request('/order', { method: 'POST' })).json()) as object
  const first = await order()
  expect(await order()).toEqual({ ...first, is_existing: true })
})

test('a worker deletes keys whose task has ended', async () => {
  const { body } = await post('until_finished', {})
  system.startWorker()
  await system.taskWhenFinal(body.id)
  system.startWorker({ pruneMs: 20 })
  await until(
    () => query(sql`select key from unique_tasks`),
    ({ length }) => length === 0,
  )
})

test('keys whose task has ended are deleted, others stay', async () => {
  const { uniqueStore } = system.connections
  const ended = await post('until_finished', { key: 'ended' })
  await post('until_finished', { key: 'waits' })
  const window = await post('for_an_hour', { key: 'window' })
  for (const { body } of [ended, window]) await system.service.cancel(body.id)
  let position: Awaited<ReturnType<typeof uniqueStore.prune>> = { name: '', key: '' }
  while (position) position = await uniqueStore.prune(position, 1)
  const keys = await query<{ key: string }>(sql`select key from unique_tasks order by key`)
  expect(keys.map(({ key }) => key)).toEqual(['waits', 'window'])
  await query(sql`delete from tasks`)
  await query(sql`update unique_tasks set kept_until = now() - interval '1 s'`)
  expect(await uniqueStore.prune({ name: '', key: '' }, 10)).toBeNull()
  expect(await query(sql`select key from unique_tasks`)).toEqual([])
})
