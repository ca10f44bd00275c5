// Prometheus metrics: exact counts, a bounded number of labels, and responses during outages.
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { createSharedQuery } from '../../src/base/shared-query.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { defineTask, PermanentError } from '../../src/definitions/define.ts'
import { completeSchedule } from '../../src/definitions/schedule.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createEvents, type Events } from '../../src/telemetry/events.ts'
import { createMetrics, type MetricsOptions } from '../../src/telemetry/metrics.ts'
import { parseMetrics, type Scrape, scrape } from '../support/prometheus-text.ts'
import { type SystemOptions, startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const HOUR_MS = 3_600_000
const definitions = [...createTestDefinitions(), ...failingDefinitions()]
let system: TestSystem

async function start(options: SystemOptions = {}) {
  const started = await startSystem({ definitions, ...options })
  onTestFinished(() => started.stop())
  system = started
}

const read = () => scrape(`${system.url}/metrics`)

/** Waits until this many `task.finished` events were emitted. The row is written shortly before the event. */
const untilFinished = (count: number) =>
  until(
    async () => system.emitted('task.finished').length,
    (finished) => finished === count,
  )

const finishedOf = (metrics: Scrape, name: string) =>
  Object.fromEntries(
    metrics
      .series('waggle_tasks_finished_total')
      .filter((labels) => labels.name === name)
      .map((labels) => [labels.status, metrics.value('waggle_tasks_finished_total', labels)]),
  )

describe('tasks', () => {
  beforeEach(() => start())

  test('are counted when accepted, and each attempt when started and finished', async () => {
    for (const text of ['a', 'b', 'c']) await system.submit('reverse', { text })
    await system.submit('second_time', {})
    await system.submit('never', {})
    await system.submit('never', {}, { queue: 'elsewhere' })
    await untilFinished(6)

    const metrics = await read()
    const accepted = (name: string, queue = 'default') =>
      metrics.value('waggle_tasks_accepted_total', { name, queue })
    expect([accepted('reverse'), accepted('second_time'), accepted('never')]).toEqual([3, 1, 1])
    expect([accepted('never', 'elsewhere'), accepted('divide')]).toEqual([1, 0])
    const none = { PENDING: 0, RETRY: 0, SUCCESS: 0, FAILURE: 0, CANCELLED: 0 }
    expect(finishedOf(metrics, 'reverse')).toEqual({ ...none, SUCCESS: 3 })
    expect(finishedOf(metrics, 'second_time')).toEqual({ ...none, RETRY: 1, SUCCESS: 1 })
    expect(finishedOf(metrics, 'never')).toEqual({ ...none, FAILURE: 1 })
    for (const [name, attempts] of Object.entries({ reverse: 3, second_time: 2, never: 1 })) {
      expect(metrics.value('waggle_tasks_started_total', { name })).toBe(attempts)
      expect(metrics.value('waggle_task_wait_seconds_count', { name })).toBe(attempts)
      expect(metrics.value('waggle_task_run_seconds_count', { name })).toBe(attempts)
    }
  })

  test('submitted twice with one idempotency key are counted as accepted once', async () => {
    const idempotency = { key: newId(), fingerprint: newId() }
    const submit = () => system.service.submit('reverse', { text: 'ab' }, { idempotency })
    await submit()
    expect(await submit()).toMatchObject({ isReplayed: true })
    const metrics = await read()
    expect(metrics.value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(1)
  })

  test('have a wait time from when they are due, not from their submission', async () => {
    const twoHoursAgo = new Date(Date.now() - 2 * HOUR_MS)
    await commit('reverse', { createdAt: twoHoursAgo })
    await commit('second_time', { createdAt: twoHoursAgo, runAt: new Date() })
    await untilFinished(3)

    const metrics = await read()
    const waited = (name: string, le: string) =>
      metrics.value('waggle_task_wait_seconds_bucket', { name, le })
    expect([waited('reverse', '3600'), waited('reverse', '+Inf')]).toEqual([0, 1])
    expect([waited('second_time', '3600'), waited('second_time', '+Inf')]).toEqual([2, 2])
    const sum = metrics.value('waggle_task_wait_seconds_sum', { name: 'reverse' })
    expect(Math.floor((sum ?? 0) / 3_600)).toBe(2)
  })

  test('have a run time from the start of their handler until it has returned', async () => {
    await system.submit('sleep', { ms: 60 })
    await untilFinished(1)
    const metrics = await read()
    const within = (le: string) => metrics.value('waggle_task_run_seconds_bucket', { name: 'sleep', le })
    expect([within('0.05'), within('3600')]).toEqual([0, 1])
  })

  test('with unknown definitions share one label', async () => {
    await commit('removed', { maxRetries: 0 })
    await commit('removed_too', { maxRetries: 0 })
    await untilFinished(2)
    const metrics = await read()
    expect(finishedOf(metrics, 'other')).toMatchObject({ FAILURE: 2 })
    const names = metrics.series('waggle_tasks_started_total').map(({ name }) => name)
    expect(names.filter((name) => name?.startsWith('removed'))).toEqual([])
  })

  test('whose result is too late are counted as refused and not as finished', async () => {
    const { id } = await system.submit('hold', {})
    await system.taskWhen(id, ({ status }) => status === 'STARTED')
    await system.connections.database.query(sql`update tasks set attempt = 7 where id = ${id}`)
    await until(
      async () => system.emitted('task.refused').length,
      (count) => count === 1,
    )
    const metrics = await read()
    expect(metrics.value('waggle_results_refused_total', { name: 'hold' })).toBe(1)
    expect(finishedOf(metrics, 'hold')).toEqual({
      PENDING: 0,
      RETRY: 0,
      SUCCESS: 0,
      FAILURE: 0,
      CANCELLED: 0,
    })
  })
})

test('ticks of schedules are counted, with and without a task', async () => {
  await start({ worker: { scheduleMs: 100 } })
  const { scheduleStore } = system.connections
  const schedule = completeSchedule('sleep', { name: 'ticking', everySeconds: 3_600, input: { ms: 60_000 } })
  await scheduleStore.put(schedule, Date.now())
  const ticks = (outcome: string, expected: number) =>
    until(
      async () => (await read()).value('waggle_schedule_ticks_total', { outcome }),
      (value) => value === expected,
    )
  await ticks('made', 1)
  await system.connections.database.query(sql`update schedules set next_at = now(), version = version + 1`)
  await ticks('skipped', 1)
  const accepted = { name: 'sleep', queue: 'default' }
  expect((await read()).value('waggle_tasks_accepted_total', accepted)).toBe(1)
})

test('an abandoned task is counted as lost and with its new status', async () => {
  await start({ worker: false })
  const id = await commit('reverse', { maxRetries: 0 })
  const claim = { id, attempt: 0, workerId: crypto.randomUUID(), isRepeated: false }
  await system.connections.taskStore.claimMany([claim])
  system.startWorker({ missingAfterMs: 300, heartbeatMs: 50 })
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'FAILURE' })
  await until(
    async () => system.emitted('attempt.lost').length,
    (count) => count === 1,
  )
  const metrics = await read()
  expect(metrics.value('waggle_attempts_lost_total', { name: 'reverse' })).toBe(1)
  expect(finishedOf(metrics, 'reverse')).toMatchObject({ FAILURE: 1, SUCCESS: 0 })
})

test('a failed enqueue is counted', async () => {
  await start({ worker: false })
  process.kill(system.redis.pid, 'SIGKILL')
  await system.submit('reverse', { text: 'ab' })
  await until(
    async () => system.emitted('enqueue.failed').length,
    (count) => count === 1,
  )
  expect((await read()).value('waggle_enqueue_failures_total')).toBe(1)
})

test('batch sizes are measured by kind of batch', async () => {
  await start()
  await Promise.all(Array.from({ length: 200 }, () => system.service.submit('reverse', { text: 'ab' })))
  const idempotency = { key: newId(), fingerprint: newId() }
  await system.service.submit('reverse', { text: 'ab' }, { idempotency })
  await untilFinished(201)
  const metrics = await read()
  const sum = (kind: string) => metrics.value('waggle_commit_batch_size_sum', { kind })
  expect([sum('submissions'), sum('claims'), sum('results')]).toEqual([201, 201, 201])
  expect(metrics.value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(201)
  // The first batch has the 200 tasks, the second the one with the idempotency key.
  expect(metrics.value('waggle_commit_batch_size_count', { kind: 'submissions' })).toBe(2)
})

describe('slots', () => {
  test('are reported as capacity and used slots', async () => {
    await start({ worker: { concurrency: 7 } })
    const tasks = await Promise.all([1, 2, 3].map(() => system.submit('hold', {})))
    for (const { id } of tasks) await system.taskWhen(id, ({ status }) => status === 'STARTED')
    const busy = await read()
    expect(busy.value('waggle_worker_slots')).toBe(7)
    expect(busy.value('waggle_worker_slots_used')).toBe(3)
    for (const { id } of tasks) await system.request('POST', `/v1/tasks/${id}/cancel`)
    await untilFinished(3)
    expect((await read()).value('waggle_worker_slots_used')).toBe(0)
  })

  test('are not reported by a process without a worker', async () => {
    await start({ worker: false })
    expect((await read()).families).not.toContain('waggle_worker_slots')
  })
})

describe('requests', () => {
  beforeEach(() => start({ worker: false }))
  const DURATION = 'waggle_http_request_duration_seconds'

  test('are measured by method, route pattern and status', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.request('GET', `/v1/tasks/${id}`)
    await system.request('GET', `/v1/tasks/${newId()}`)
    await system.request('POST', '/v1/tasks/reverse', { input: {} })
    await system.request('GET', '/v1/stats')
    const metrics = await read()
    const counted = Object.fromEntries(
      metrics
        .series(`${DURATION}_count`)
        .map((labels) => [
          `${labels.method} ${labels.route} ${labels.status}`,
          metrics.value(`${DURATION}_count`, labels),
        ]),
    )
    expect(counted).toEqual({
      'POST /v1/tasks/:name 202': 1,
      'POST /v1/tasks/:name 422': 1,
      'GET /v1/tasks/:id 200': 1,
      'GET /v1/tasks/:id 404': 1,
      'GET /v1/stats 200': 1,
    })
  })

  test('for unknown paths, ids and methods create no new series', async () => {
    const visit = async (path: string) => {
      for (const method of ['GET', 'POST', 'PROPFIND', 'MKCOL']) await system.request(method, path)
      await system.request('GET', `/v1/tasks/${newId()}`)
      await system.request('DELETE', `/v1/tasks/${newId()}`)
      return (await read()).series(`${DURATION}_count`)
    }
    await visit('/first')
    const before = await visit('/second')
    expect(before).toContainEqual({ method: 'other', route: 'none', status: '404' })
    for (const path of ['/third', '/v1/%2e%2e', '/v1/tasks/a/b/c', '/"\\\n', '/metrics/x'])
      expect(await visit(path)).toEqual(before)
  })
})

describe('queues', () => {
  test('are reported as they are in Postgres', async () => {
    await start({ worker: false })
    const { taskStore, queueStore } = system.connections
    await commit('reverse', { createdAt: new Date(Date.now() - 2 * HOUR_MS) })
    await system.submit('reverse', { text: 'later' }, { delay_seconds: 600 })
    const id = await commit('reverse', { queue: 'slow' })
    await taskStore.claimMany([{ id, attempt: 0, workerId: crypto.randomUUID(), isRepeated: false }])
    await queueStore.pause('slow')
    await queueStore.pause('idle')
    const metrics = await read()
    const row = (queue: string) =>
      ['waiting_tasks', 'running_tasks', 'paused'].map((metric) =>
        metrics.value(`waggle_queue_${metric}`, { queue }),
      )
    expect([row('default'), row('slow'), row('idle')]).toEqual([
      [2, 0, 0],
      [0, 1, 1],
      [0, 0, 1],
    ])
    const oldestSeconds = (queue: string) => metrics.value('waggle_queue_oldest_waiting_seconds', { queue })
    expect([Math.floor((oldestSeconds('default') ?? 0) / 3_600), oldestSeconds('slow')]).toEqual([2, 0])
  })

  test('beyond 100 names chosen by clients share one label', async () => {
    const many = Array.from({ length: 300 }, (_, index) => ({ name: 'reverse', queue: `queue-${index}` }))
    const depth = { waiting: 1, running: 0, held: 0, pausedAt: null }
    const { events, render } = setup({
      summarizeQueues: async () =>
        many.map(({ queue }, index) => ({ ...depth, name: queue, oldestWaitingMs: index })),
    })
    events.emit('tasks.accepted', { tasks: many })
    const { samples } = parseMetrics(await render())
    for (const name of ['waggle_tasks_accepted_total', 'waggle_queue_waiting_tasks']) {
      const ofName = samples.filter((sample) => sample.name === name)
      expect(ofName).toHaveLength(102)
      expect(ofName.find(({ labels }) => labels.queue === 'other')?.value).toBe(200)
    }
    const oldest = samples.filter(({ name }) => name === 'waggle_queue_oldest_waiting_seconds')
    expect(oldest.find(({ labels }) => labels.queue === 'other')?.value).toBe(0.299)
  })
})

describe('while Postgres is unavailable', () => {
  test('all metrics except those of queues are reported; those of queues return afterwards', async () => {
    await start()
    await system.submit('reverse', { text: 'ab' })
    await untilFinished(1)
    const { database } = system.connections
    const hasNoQueues = ({ series }: Scrape) => series('waggle_queue_waiting_tasks').length === 0
    expect(hasNoQueues(await read())).toBe(false)
    const query = vi.spyOn(database.maintenance, 'query').mockRejectedValue(new Error('unavailable'))
    const metrics = await until(read, hasNoQueues)
    expect([metrics.status, metrics.series('waggle_queue_oldest_waiting_seconds')]).toEqual([200, []])
    expect(metrics.value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(1)
    query.mockRestore()
    await until(read, (later) => !hasNoQueues(later))
  })

  test('a response does not wait longer than two seconds for the query', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const summarizeQueues = vi.fn(() => new Promise<never>(() => {}))
    const { render } = setup({ summarizeQueues: createSharedQuery(summarizeQueues).read })
    const responses = Promise.all([render(), render()])
    await vi.advanceTimersByTimeAsync(2_000)
    for (const text of await responses) {
      const { samples } = parseMetrics(text)
      expect(samples.some(({ name }) => name === 'process_cpu_seconds_total')).toBe(true)
      expect(samples.some(({ name }) => name === 'waggle_queue_waiting_tasks')).toBe(false)
    }
    // No second query is started while the first is pending.
    expect(summarizeQueues).toHaveBeenCalledTimes(1)
  })
})

test('the response is text of version 0.0.4 with no-store, and has no body for HEAD', async () => {
  await start({ worker: false })
  const metrics = await read()
  expect([metrics.status, metrics.contentType]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(metrics.families).toEqual(
    expect.arrayContaining(['process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']),
  )
  const head = await fetch(`${system.url}/metrics`, { method: 'HEAD' })
  expect([head.status, head.headers.get('Cache-Control'), await head.text()]).toEqual([200, 'no-store', ''])
  expect((await fetch(`${system.url}/metrics`, { method: 'POST' })).status).toBe(405)
})

function setup(options: Pick<MetricsOptions, 'summarizeQueues'>): {
  events: Events
  render: () => Promise<string>
} {
  const events = createEvents()
  const metrics = createMetrics(events, { definitions: [{ name: 'reverse', queue: 'default' }], ...options })
  return { events, render: metrics.render }
}

/**
 * Inserts a task with another creation time, or one of another version of the code, without enqueuing it. The
 * dispatcher or the reconciler enqueues it in its next round.
 */
async function commit(
  name: string,
  given: { createdAt?: Date; runAt?: Date; queue?: string; maxRetries?: number },
): Promise<string> {
  const { createdAt = new Date() } = given
  const id = newId(createdAt.getTime())
  const task = { name, queue: 'default', input: { text: 'ab' }, maxRetries: 1, timeoutMs: 1_000, tags: [] }
  await system.connections.taskStore.insertMany([{ ...task, ...given, id, createdAt }])
  return id
}

function failingDefinitions() {
  const quick = { output: z.unknown(), description: 'for tests', backoff: { baseMs: 1, capMs: 2 } }
  return [
    defineTask({
      ...quick,
      name: 'second_time',
      title: 'Fails in its first attempt',
      input: z.unknown(),
      example: {},
      async run(_, { attempt }) {
        if (attempt === 1) throw new Error('not yet')
      },
    }),
    defineTask({
      ...quick,
      name: 'never',
      title: 'Fails for good',
      input: z.unknown(),
      example: {},
      async run() {
        throw new PermanentError('no')
      },
    }),
  ]
}
