// `startTestSystem` of `waggle-tasks/testing`: a whole system in this process, whose clock tests can move.
import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { defineConfig, defineServices, defineTask } from 'waggle-tasks'
import { type Duration, startTestSystem, type TestSystem, type TestSystemOptions } from 'waggle-tasks/testing'
import { z } from 'zod'
import sampleConfig from '../../waggle.config.ts'
import { until } from '../support/system.ts'

const HOUR_MS = 3_600_000

const greet = defineTask({
  name: 'greet',
  title: 'Greet',
  description: 'Greets.',
  input: z.object({ name: z.string() }),
  output: z.object({ text: z.string() }),
  example: { name: 'Ada' },
  queue: 'greetings',
  isolate: true,
  retention: { successHours: 1 },
  run: async ({ name }) => ({ text: `Hello ${name}` }),
})

let failures = 0
const flaky = defineTask({
  name: 'flaky',
  title: 'Flaky',
  description: 'Fails twice.',
  input: z.object({}),
  output: z.object({ at: z.number() }),
  example: {},
  backoff: { baseMs: 20 * HOUR_MS, capMs: 20 * HOUR_MS },
  async run() {
    if (failures++ < 2) throw new Error('not yet')
    return { at: Date.now() }
  },
})

let released: PromiseWithResolvers<void>
const long = defineTask({
  name: 'long',
  title: 'Long',
  description: 'Runs until the test releases it.',
  input: z.object({}),
  output: z.object({ attempt: z.number() }),
  example: {},
  async run(_, { attempt }) {
    await released.promise
    return { attempt }
  },
})

const report = defineTask({
  name: 'report',
  title: 'Report',
  description: 'Has a schedule.',
  input: z.object({ to: z.string() }),
  output: z.object({ at: z.number() }),
  example: { to: 'Ada' },
  schedules: [{ name: 'every-day', cron: '0 3 * * *', input: { to: 'Ada' } }],
  run: async () => ({ at: Date.now() }),
})

const config = defineConfig({ tasks: [greet, flaky, long, report] })

const databases = [
  ['PGlite', undefined],
  ['a Postgres server', inject('postgresUrl') ?? undefined],
] as const

afterEach(() => expect(Date.name).toBe('Date'))

describe.each(databases)('on %s', (database, databaseUrl) => {
  const isAbsent = database !== 'PGlite' && databaseUrl === undefined

  async function start(options: Partial<TestSystemOptions<typeof config>> = {}) {
    const system = await startTestSystem({ config, databaseUrl, ...options })
    onTestFinished(() => system.stop())
    return system
  }

  test.skipIf(isAbsent)('runs tasks of every queue, also isolated ones, for a typed client', async () => {
    const { client, url } = await start()
    const task = await client.submit('greet', { name: 'Ada' })
    const { status, result } = await client.waitFor(task)
    expect([status, result]).toEqual(['SUCCESS', { text: 'Hello Ada' }])
    const text: string | undefined = result?.text
    expect(text).toBe('Hello Ada')
    // @ts-expect-error the project has no such task
    await expect(client.submit('unknown', {})).rejects.toThrow('There is no task "unknown"')
    expect((await fetch(`${url}/v1/definitions`)).status).toBe(200)
  })

  test.skipIf(isAbsent)('a moved clock starts delayed tasks and retries, and removes old tasks', async () => {
    failures = 0
    const { client, clock } = await start({ settings: { RETENTION_DAYS: '3' } })
    const startedMs = Date.now()
    const delayed = await client.submit('greet', { name: 'Ada' }, { options: { delay_seconds: 2 * 3_600 } })
    await clock.advance({ hours: 1, minutes: 59 })
    expect((await client.task(delayed.id)).status).toBe('PENDING')
    await clock.advance({ minutes: 2 })
    const done = await client.waitFor(delayed)
    expect(Date.parse(done.started_at ?? '') - startedMs).toBeGreaterThan(2 * HOUR_MS)

    const retried = await client.submit('flaky', {})
    for (const attempt of [1, 2]) {
      await until(
        () => client.task(retried.id),
        (task) => task.status === 'RETRY' && task.attempt === attempt,
      )
      await clock.advance({ hours: 20 })
    }
    const { result } = await client.waitFor(retried)
    expect(result?.at).toBeGreaterThan(startedMs + 42 * HOUR_MS)
    // Its definition keeps successful tasks for an hour.
    await until(
      () => client.task(delayed.id).catch((error) => error.code),
      (answer) => answer === 'unknown_task',
    )
    await clock.advance({ days: 5 })
    await until(
      () => client.task(retried.id).catch((error) => error.code),
      (answer) => answer === 'unknown_task',
    )
    const late = await client.submit('greet', { name: 'late' })
    expect(Date.parse(late.created_at) - startedMs).toBeGreaterThan(6 * 24 * HOUR_MS)
    expect((await client.waitFor(late)).status).toBe('SUCCESS')
  })

  test.skipIf(isAbsent)('a moved clock makes the tasks of schedules', async () => {
    const { client, clock } = await start()
    const [first] = await ticks(client, 1)
    const untilFirstMs = Date.parse(first ?? '') - Date.now()
    await clock.advance({ milliseconds: Math.max(1, untilFirstMs - 600_000) })
    expect((await client.schedules.get('every-day')).runs).toEqual([])
    await clock.advance({ minutes: 10 })
    for (const count of [1, 2, 3]) {
      const { runs } = await until(
        () => client.schedules.get('every-day'),
        (schedule) => schedule.runs.length === count,
      )
      const [run] = runs
      expect(run?.tick_at).toBe(new Date(Date.parse(first ?? '') + (count - 1) * 24 * HOUR_MS).toISOString())
      const done = await client.waitFor(run?.task_id ?? '')
      expect(done.status).toBe('SUCCESS')
      await clock.advance({ days: 1 })
    }
  })

  test.skipIf(isAbsent)('no worker becomes missing because of a moved clock', async () => {
    released = Promise.withResolvers()
    const { client, clock } = await start({ workers: 2, settings: { WORKER_MISSING_AFTER_SECONDS: '3' } })
    const tasks = await Promise.all(Array.from({ length: 8 }, () => client.submit('long', {})))
    await until(
      () => Promise.all(tasks.map(({ id }) => client.task(id))),
      (running) => running.every(({ status }) => status === 'STARTED'),
    )
    for (let round = 0; round < 3; round++) {
      await clock.advance({ hours: 1 })
      const workers = (await client.workers()).data
      expect(workers.map(({ is_alive }) => is_alive)).toEqual([true, true])
      // Each movement starts a round of the reconcilers, which would recover the tasks of missing workers.
      await rounds(client, 2)
    }
    released.resolve()
    const ended = await Promise.all(tasks.map((task) => client.waitFor(task)))
    expect(ended.map(({ status, result, attempt }) => [status, result, attempt])).toEqual(
      tasks.map(() => ['SUCCESS', { attempt: 1 }, 1]),
    )
  })
})

test('given services replace those that the project opens', async () => {
  const { client, services } = await startSample({
    services: { sendMail: async () => ({ messageId: 'fake' }) },
  })
  const { result } = await client.waitFor(await client.submit('notify', { email: 'ada@example.com' }))
  expect(result?.message_id).toBe('fake')
  expect(await services.sendMail({ to: '', subject: '', text: '' }, AbortSignal.abort())).toEqual({
    messageId: 'fake',
  })
})

test('without openServices, settings are not needed and a missing service is named', async () => {
  const needy = defineConfig({
    ...sampleConfig,
    services: defineServices({
      settings: z.object({ STRIPE_KEY: z.string() }),
      open: () => {
        throw new Error('opened')
      },
    }),
  })
  await expect(startTestSystem({ config: needy })).rejects.toThrow('STRIPE_KEY: is required')
  await expect(startTestSystem({ config: needy, settings: { STRIPE_KEY: 'x' } })).rejects.toThrow(
    'The services of the project could not be opened: Error: opened',
  )
  const system = await startTestSystem({ config: needy, openServices: false })
  onTestFinished(() => system.stop())
  const task = await system.client.submit(
    'notify',
    { email: 'ada@example.com' },
    { options: { max_retries: 0 } },
  )
  expect((await system.client.waitFor(task)).error?.message).toContain('the service "sendMail"')
})

test('the clock refuses durations that are no duration, and a second system that moves it', async () => {
  await using first = await startTestSystem({ config, workers: 0 })
  for (const [duration, message] of [
    [{ hours: -1 }, 'must be positive'],
    [{}, 'must be positive'],
    [{ hours: Number.NaN }, 'must be positive'],
    [{ weeks: 1 }, '"weeks" is unknown'],
  ] as [Duration, string][])
    await expect(first.clock.advance(duration)).rejects.toThrow(message)
  await first.clock.advance({ days: 1 })
  await using second = await startTestSystem({ config, workers: 0 })
  await expect(second.clock.advance({ days: 1 })).rejects.toThrow('Another test system')
})

/** Waits until the worker has stored the schedules of the code. */
async function ticks(client: TestSystem<typeof config>['client'], count: number): Promise<string[]> {
  await until(
    () => client.schedules.list(),
    ({ data }) => data.length === 1,
  )
  const { data } = await client.schedules.preview('every-day', { count })
  return data.map(({ tick_at }) => tick_at)
}

/** Waits until the workers have sent this many heartbeats. */
async function rounds({ workers }: TestSystem<typeof config>['client'], count: number) {
  const beats = async () => (await workers()).data.map(({ last_beat_at }) => last_beat_at).join()
  for (let round = 0; round < count; round++) {
    const before = await beats()
    await until(beats, (now) => now !== before)
  }
}

async function startSample(options: Omit<TestSystemOptions<typeof sampleConfig>, 'config'>) {
  const system = await startTestSystem({ config: sampleConfig, ...options })
  onTestFinished(() => system.stop())
  return system
}
