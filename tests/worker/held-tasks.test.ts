// Held tasks: limits, priorities, expiry and snoozing in a running system.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
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

async function submitMany(name: string, inputs: object[], options: object = {}) {
  return Promise.all(inputs.map((input) => system.service.submit(name, input, options)))
}

async function allEnded(count: number) {
  await until(
    () => system.countByStatus(),
    ({ SUCCESS = 0, FAILURE = 0, CANCELLED = 0 }) => SUCCESS + FAILURE + CANCELLED === count,
  )
}

async function countHeld(): Promise<number> {
  const [row] = await system.connections.database.query<{ count: number }>(
    sql`select count(*)::int as count from held_tasks`,
  )
  return row?.count ?? -1
}

describe('concurrency', () => {
  test('with a key: tasks of one key run one after the other, tasks of different keys together', async () => {
    system.startWorker()
    system.startWorker()
    const inputs = Array.from({ length: 60 }, (_, n) => ({ key: 'abc'[n % 3], ms: 10, n }))
    await submitMany('one_per_key', inputs)
    await allEnded(60)
    expect(Object.fromEntries(runs.peaks)).toEqual({ a: 1, b: 1, c: 1 })
    expect(await countHeld()).toBe(0)
  })

  test('without a key: the limit applies to the definition', async () => {
    system.startWorker()
    system.startWorker()
    await submitMany(
      'two_at_once',
      Array.from({ length: 30 }, () => ({ ms: 10 })),
    )
    await allEnded(30)
    expect(runs.peaks.get('a')).toBe(2)
  })

  test('tasks of one key start in the order of their submission', async () => {
    for (let n = 0; n < 20; n++) {
      await system.service.submit('one_per_key', { n })
      // Ids have a resolution of a millisecond.
      await pause(2)
    }
    system.startWorker()
    await allEnded(20)
    expect(runs.ended.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  test('a key with many tasks does not delay a task of another key', async () => {
    await submitMany(
      'one_per_key',
      Array.from({ length: 200 }, () => ({ key: 'many', ms: 5 })),
    )
    await submitMany('one_per_key', [{ key: 'single', ms: 5 }])
    system.startWorker()
    await until(
      async () => runs.ended,
      (ended) => ended.some(({ key }) => key === 'single'),
    )
    expect(runs.ended.length).toBeLessThan(50)
  })

  test('a retry keeps the limit, and its delay does not use the slot', async () => {
    system.startWorker()
    const tasks = await submitMany(
      'fails_once',
      Array.from({ length: 10 }, () => ({ key: 'a' })),
    )
    await allEnded(10)
    for (const { id } of tasks) expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', attempt: 2 })
    expect(await countHeld()).toBe(0)
  })
})

describe('rates', () => {
  test('no span has more starts than the limit', async () => {
    system.startWorker()
    system.startWorker()
    await submitMany(
      'ten_per_second',
      Array.from({ length: 35 }, () => ({})),
    )
    await allEnded(35)
    const rows = await system.connections.database.query<{ ms: number }>(
      sql`select extract(epoch from started_at)::float8 * 1000 as ms from tasks order by started_at`,
    )
    for (const [index, { ms }] of rows.entries()) {
      const eleventh = rows[index + 10]
      if (eleventh) expect(eleventh.ms - ms).toBeGreaterThanOrEqual(1_000)
    }
  })

  test('keys have rates of their own', async () => {
    system.startWorker()
    await submitMany('keyed_rate', [{ key: 'a' }, { key: 'b' }, { key: 'c' }, { key: 'a' }])
    await until(
      async () => runs.ended,
      (ended) => ended.length === 3,
    )
    expect(runs.ended.map(({ key }) => key).sort()).toEqual(['a', 'b', 'c'])
    await allEnded(4)
  })
})

describe('priorities', () => {
  test('a task of high priority starts before those that wait', async () => {
    await submitMany(
      'two_at_once',
      Array.from({ length: 10 }, (_, n) => ({ n, ms: 20 })),
    )
    await submitMany('two_at_once', [{ n: 99 }], { priority: 'high' })
    system.startWorker({ concurrency: 1 })
    await allEnded(11)
    expect(runs.ended[0]?.n).toBe(99)
  })

  test('a definition of high priority has it in the row and in the answer', async () => {
    const task = await system.submit('urgent', {})
    expect(task).toMatchObject({ priority: 'high' })
    expect(await system.task(task.id)).toMatchObject({ priority: 'high' })
    expect(await system.submit('urgent', {}, { priority: 'normal' })).toMatchObject({ priority: 'normal' })
  })
})

describe('expiry', () => {
  test('a task that has not started in time is CANCELLED with the error Expired', async () => {
    const task = await system.submit('reverse', { text: 'a' }, { expires_in_seconds: 0.2 })
    await until(
      async () => Date.now(),
      (now) => now > Date.parse(task.expires_at ?? ''),
    )
    system.startWorker()
    expect(await system.taskWhenFinal(task.id)).toMatchObject({
      status: 'CANCELLED',
      error: { name: 'Expired' },
      attempt: 0,
    })
    expect(await countHeld()).toBe(0)
  })

  test('a task that starts in time runs, and a retry by a client does not expire', async () => {
    system.startWorker()
    const task = await system.submit('reverse', { text: 'ab' }, { expires_in_seconds: 60 })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', result: { text: 'ba' } })
    const expired = await system.submit('reverse', { text: 'ab' }, { expires_at: '2020-01-01T00:00:00Z' })
    await system.taskWhenFinal(expired.id)
    await system.request('POST', `/v1/tasks/${expired.id}/retry`)
    expect(await system.taskWhen(expired.id, ({ status }) => status === 'SUCCESS')).toMatchObject({
      expires_at: null,
    })
  })
})

test('a snoozed task uses no retry and leaves no attempt', async () => {
  system.startWorker()
  const task = await system.submit('snoozes', { n: 3 })
  expect(await system.taskWhenFinal(task.id)).toMatchObject({
    status: 'SUCCESS',
    attempt: 4,
    failures: 0,
    attempts: [],
  })
})

describe('held tasks', () => {
  test('are cancelled while they wait, and free nothing', async () => {
    const tasks = await submitMany('one_per_key', [{}, {}, {}])
    await system.request('POST', `/v1/tasks/${tasks[1]?.id}/cancel`)
    expect(await countHeld()).toBe(2)
    system.startWorker()
    await allEnded(3)
    expect(runs.ended).toHaveLength(2)
  })

  test('a retry by a client waits for its limit again', async () => {
    const [task] = await submitMany('one_per_key', [{}])
    await system.request('POST', `/v1/tasks/${task?.id}/cancel`)
    await system.request('POST', `/v1/tasks/${task?.id}/retry`)
    expect(await countHeld()).toBe(1)
    system.startWorker()
    expect(await system.taskWhenFinal(task?.id ?? '')).toMatchObject({ status: 'SUCCESS' })
  })

  test('do not start while their queue is paused', async () => {
    await system.request('POST', '/v1/queues/default/pause')
    const [held, plain] = [
      await system.submit('one_per_key', {}),
      await system.submit('reverse', { text: 'a' }),
    ]
    system.startWorker()
    await until(
      () => system.connections.workerStore.list(),
      (workers) => workers.length === 1,
    )
    expect(await system.task(held.id)).toMatchObject({ status: 'PENDING' })
    await system.request('POST', '/v1/queues/default/resume')
    await system.taskWhenFinal(held.id)
    await system.taskWhenFinal(plain.id)
  })

  test('start when their delay is over', async () => {
    system.startWorker()
    const task = await system.submit('one_per_key', {}, { delay_seconds: 1 })
    const done = await system.taskWhenFinal(task.id)
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(task.run_at))
  })

  test('tasks that were submitted before their definition had limits get them', async () => {
    // As an earlier version of the code has submitted them.
    const { registry } = system
    const definition = registry.get('one_per_key')
    const { concurrency } = definition
    definition.concurrency = undefined
    await submitMany(
      'one_per_key',
      Array.from({ length: 10 }, () => ({ key: 'a', ms: 5 })),
    )
    definition.concurrency = concurrency
    expect(await countHeld()).toBe(0)
    system.startWorker()
    await allEnded(10)
    expect(runs.peaks.get('a')).toBe(1)
  })
})

test('a worker stores which limits have keys', async () => {
  system.startWorker()
  const { database } = system.connections
  const rows = await until(
    () =>
      database.query<{ name: string; hasKeys: boolean }>(
        sql`select name, has_keys as "hasKeys" from limits order by name`,
      ),
    ({ length }) => length > 0,
  )
  const names = rows.filter(({ hasKeys }) => hasKeys).map(({ name }) => name)
  expect(names).toEqual(['fails_once', 'keyed_rate', 'no_key', 'one_per_key'])
})

describe('a key function', () => {
  test.each([
    ['throw', 'concurrency.key has thrown for this input: no such customer'],
    ['number', 'concurrency.key must return a string for this input, not 1'],
    ['', 'concurrency.key must return 1 to 200 characters for this input, not 0'],
  ])('that fails for an input is an error of the submission: %j', async (key, detail) => {
    const { status, body } = await system.request('POST', '/v1/tasks/no_key', { input: { key } })
    expect(status).toBe(422)
    expect(body).toMatchObject({ detail: expect.stringContaining(detail) })
  })
})

describe('held and plain tasks of one worker', () => {
  test('held tasks start although plain tasks keep all slots in use', async () => {
    await submitMany(
      'plain',
      Array.from({ length: 400 }, (_, n) => ({ key: 'plain', n, ms: 10 })),
    )
    await submitMany(
      'urgent',
      Array.from({ length: 20 }, (_, n) => ({ key: 'urgent', n, ms: 10 })),
    )
    await submitMany(
      'plain',
      Array.from({ length: 10 }, (_, n) => ({ key: 'low', n, ms: 10 })),
      { priority: 'low' },
    )
    system.startWorker({ concurrency: 4 })
    await allEnded(430)
    const lastOf = (wanted: string) => runs.ended.findLastIndex(({ key }) => key === wanted)
    // The first plain tasks may start before the held ones are found.
    expect(lastOf('urgent')).toBeLessThan(150)
    expect(lastOf('low')).toBeLessThan(400)
  })
})

test('tasks that expire while others run stop neither held nor plain tasks', async () => {
  await submitMany(
    'urgent',
    Array.from({ length: 30 }, () => ({ key: 'urgent', ms: 20 })),
    {
      expiresAt: new Date(Date.now() + 300),
    },
  )
  await submitMany(
    'urgent',
    Array.from({ length: 5 }, () => ({ key: 'later', ms: 5 })),
  )
  await submitMany(
    'plain',
    Array.from({ length: 5 }, () => ({ key: 'plain', ms: 5 })),
  )
  system.startWorker({ concurrency: 1 })
  await allEnded(40)
  expect(runs.ended.filter(({ key }) => key !== 'urgent')).toHaveLength(10)
  expect(await countHeld()).toBe(0)
})

test('queues take turns', async () => {
  await submitMany(
    'urgent',
    Array.from({ length: 60 }, () => ({ key: 'first', ms: 5 })),
  )
  await submitMany(
    'urgent',
    Array.from({ length: 5 }, () => ({ key: 'second', ms: 5 })),
    { queue: 'second' },
  )
  system.startWorker({ concurrency: 1, queues: ['default', 'second'] })
  await allEnded(65)
  expect(runs.ended.findLastIndex(({ key }) => key === 'second')).toBeLessThan(30)
})

test('a task that has started in time does not expire before its next attempt', async () => {
  const task = await system.submit('fails_once', {}, { expires_in_seconds: 60 })
  const { database } = system.connections
  system.startWorker()
  await system.taskWhen(task.id, ({ attempt }) => attempt > 0)
  // As if the retry had a long delay.
  await database.query(sql`update tasks set expires_at = now() - interval '1 hour'`)
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 2 })
})
