// Limits in the API: of queues, what a task waits for, and the keys of limits.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHeldDefinitions, type Runs } from '../support/held-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
let runs: Runs
beforeEach(async () => {
  const held = createHeldDefinitions()
  runs = held.runs
  system = await startSystem({ definitions: held.definitions, worker: false })
})
afterEach(() => system.stop())

const setLimits = (queue: string, body: unknown) => system.request('PUT', `/v1/queues/${queue}/limits`, body)
const NONE = { concurrency: null, rate_limit: null }

async function queueNamed(name: string) {
  const { body } = await system.request('GET', '/v1/queues')
  return (body as { data: { name: string }[] }).data.find((queue) => queue.name === name)
}

async function submitMany(name: string, inputs: object[]) {
  return Promise.all(inputs.map((input) => system.service.submit(name, input)))
}

async function allSucceeded(count: number) {
  await until(
    () => system.countByStatus(),
    ({ SUCCESS = 0 }) => SUCCESS === count,
  )
}

/** Runs at the same time as far as the record of the tasks says: their starts and ends by the clock of Postgres. */
async function peak(): Promise<number> {
  const { body } = await system.request('GET', '/v1/tasks?limit=200')
  const tasks = (body as { data: { started_at: string; finished_at: string }[] }).data
  return Math.max(
    ...tasks.map(
      ({ started_at }) =>
        tasks.filter((task) => task.started_at <= started_at && started_at < task.finished_at).length,
    ),
  )
}

describe('limits of a queue', () => {
  test('limit how many of its tasks run, of all definitions, also those that wait in Redis', async () => {
    await submitMany(
      'plain',
      Array.from({ length: 10 }, () => ({ ms: 50 })),
    )
    const limits = { concurrency: 2, rate_limit: null }
    const { status, body } = await setLimits('default', limits)
    expect(status).toBe(200)
    expect(body).toMatchObject({ name: 'default', limits })
    system.startWorker()
    system.startWorker()
    await submitMany(
      'plain',
      Array.from({ length: 10 }, () => ({ ms: 50 })),
    )
    await submitMany(
      'one_per_key',
      Array.from({ length: 5 }, (_, n) => ({ key: `k${n}`, ms: 50 })),
    )
    await allSucceeded(25)
    expect(await peak()).toBe(2)
  })

  test('can be removed while tasks wait for them', async () => {
    await setLimits('default', { concurrency: null, rate_limit: { limit: 1, per_seconds: 3_600 } })
    system.startWorker()
    await submitMany('reverse', [{ text: 'a' }, { text: 'b' }, { text: 'c' }])
    await until(
      () => system.countByStatus(),
      ({ SUCCESS = 0 }) => SUCCESS === 1,
    )
    expect(await setLimits('default', NONE)).toMatchObject({ status: 200, body: { limits: null } })
    await allSucceeded(3)
  })

  test('are shown with the queue, with the number of tasks that they hold', async () => {
    const limits = { concurrency: 5, rate_limit: { limit: 10, per_seconds: 0.5 } }
    await setLimits('default', limits)
    expect(await queueNamed('default')).toMatchObject({ limits })
    await submitMany('one_per_key', [{}, {}])
    await expect.poll(() => queueNamed('default')).toMatchObject({ waiting: 2, held: 2 })
  })

  test.each([
    [{ concurrency: 0, rate_limit: null }, '#/concurrency'],
    [{ concurrency: 1.5, rate_limit: null }, '#/concurrency'],
    [{ concurrency: 1 }, '#/rate_limit'],
    [{ concurrency: null, rate_limit: { limit: 1, per_seconds: 0 } }, '#/rate_limit/per_seconds'],
    [{ concurrency: null, rate_limit: { limit: 0, per_seconds: 1 } }, '#/rate_limit/limit'],
    [{ concurrency: null, rate_limit: null, more: 1 }, '#/more'],
  ])('are refused with a pointer: %j', async (body, pointer) => {
    const response = await setLimits('default', body)
    expect(response.status).toBe(422)
    expect(JSON.stringify(response.body)).toContain(pointer)
    expect(await queueNamed('default')).toMatchObject({ limits: null })
  })

  test('a name that is no queue is 404', async () => {
    expect((await setLimits('NO QUEUE', NONE)).status).toBe(404)
  })
})

describe('a task says what it waits for', () => {
  test('a slot of its key, with the number of tasks before it', async () => {
    system.startWorker()
    const [running] = await submitMany('one_per_key', [{ key: 'acme', ms: 60_000 }])
    await system.taskWhen(running?.id ?? '', ({ status }) => status === 'STARTED')
    const waiting = []
    for (let n = 0; n < 3; n++) waiting.push(await system.submit('one_per_key', { key: 'acme' }))
    const wait = { reason: 'concurrency', scope: 'definition', key: 'acme', ahead: 2 }
    expect(await system.task(waiting[2]?.id ?? '')).toMatchObject({
      waits_for: { ...wait, message: 'waits for a slot of concurrency key acme, 2 before it' },
    })
    expect(await system.task(running?.id ?? '')).toMatchObject({ waits_for: null })
    await system.request('POST', `/v1/tasks/${running?.id}/cancel`)
    await allSucceeded(3)
  })

  test('a start of its rate, its time, its queue, or its turn', async () => {
    const delayed = await system.submit('one_per_key', {}, { delay_seconds: 3_600 })
    expect(await system.task(delayed.id)).toMatchObject({ waits_for: { reason: 'due' } })
    const turn = await system.submit('one_per_key', { key: 'b' })
    expect(await system.task(turn.id)).toMatchObject({
      waits_for: {
        reason: 'turn',
        scope: null,
        key: null,
        ahead: 0,
        message: 'waits for its turn, 0 before it',
      },
    })
    await system.request('POST', '/v1/queues/default/pause')
    expect(await system.task(turn.id)).toMatchObject({ waits_for: { reason: 'paused' } })
    await system.request('POST', '/v1/queues/default/resume')
    system.startWorker()
    await system.taskWhenFinal(turn.id)
    const limited = await submitMany('keyed_rate', [{ key: 'acme' }, { key: 'acme' }])
    await until(
      async () => runs.ended,
      (ended) => ended.length === 2,
    )
    const waits = await Promise.all(limited.map(({ id }) => system.task(id)))
    expect(waits.find(({ status }) => status === 'PENDING')).toMatchObject({
      waits_for: { message: 'waits for a start of rate key acme, 0 before it' },
    })
  })

  test('the limit of its queue', async () => {
    system.startWorker()
    await setLimits('default', { concurrency: null, rate_limit: { limit: 1, per_seconds: 3_600 } })
    const first = await system.submit('urgent', {})
    await system.taskWhenFinal(first.id)
    const second = await system.submit('urgent', {})
    expect(await system.task(second.id)).toMatchObject({
      waits_for: { message: 'waits for a start of the rate limit of its queue, 0 before it' },
    })
  })

  test('a plain task says nothing', async () => {
    const task = await system.submit('reverse', { text: 'a' })
    expect(await system.task(task.id)).toMatchObject({ waits_for: null })
  })
})

describe('GET /v1/keys', () => {
  test('lists the keys with their counts, and finds them by a part of the key', async () => {
    const inputs = [{ key: 'acme' }, { key: 'acme' }, { key: 'globex' }]
    await submitMany('one_per_key', inputs)
    await submitMany('two_at_once', [{}])
    const list = async (query: string) => (await system.request('GET', `/v1/keys${query}`)).body as never
    const acme = {
      name: 'one_per_key',
      queue: 'default',
      priority: 'normal',
      concurrency_key: 'acme',
      rate_key: null,
      waiting: 2,
      running: 0,
    }
    expect(await list('?name=one_per_key')).toEqual({
      data: [acme, { ...acme, concurrency_key: 'globex', waiting: 1 }],
    })
    expect(await list('?search=CM')).toEqual({ data: [acme] })
    expect(await list('?limit=1')).toEqual({ data: [acme] })
    expect(await list('?queue=other')).toEqual({ data: [] })
    expect(await list('?name=two_at_once')).toMatchObject({ data: [{ concurrency_key: null, waiting: 1 }] })
  })
})

test('definitions show their limits', async () => {
  const { body } = await system.request('GET', '/v1/definitions')
  const { data } = body as { data: { name: string }[] }
  expect(data.find(({ name }) => name === 'keyed_rate')).toMatchObject({
    priority: 'normal',
    concurrency: null,
    rate_limit: { limit: 1, per_seconds: 2, is_keyed: true },
  })
  expect(data.find(({ name }) => name === 'two_at_once')).toMatchObject({
    concurrency: { limit: 2, is_keyed: false },
    rate_limit: null,
  })
})

test('expiry and priority are checked', async () => {
  const faults = async (options: object) =>
    JSON.stringify(
      (await system.request('POST', '/v1/tasks/reverse', { input: { text: 'a' }, options })).body,
    )
  expect(await faults({ priority: 'higher' })).toContain('#/options/priority')
  expect(await faults({ expires_in_seconds: 0 })).toContain('#/options/expires_in_seconds')
  expect(await faults({ expires_in_seconds: 5, delay_seconds: 5 })).toContain(
    'expires_in_seconds must be more than delay_seconds',
  )
  expect(await faults({ expires_in_seconds: 5, expires_at: '2030-01-01T00:00:00Z' })).toContain(
    'must not be used together',
  )
  expect(await faults({ run_at: '2030-01-01T00:00:00Z', expires_at: '2029-12-31T00:00:00Z' })).toContain(
    'expires_at must be after run_at',
  )
})
