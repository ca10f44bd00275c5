// GET /v1/stats: counts, rates and quantiles of a time window.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatisticsView } from '../../src/api/system/statistics.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: createTestDefinitions() })
})
afterAll(() => system.stop())

async function read(window = 300): Promise<StatisticsView> {
  const { status, body } = await system.request('GET', `/v1/stats?window=${window}`)
  expect(status).toBe(200)
  return body
}

const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0)

test('a system without tasks has zero counts, and null for rates and quantiles', async () => {
  const stats = await read()
  expect(stats).toMatchObject({
    window_seconds: 300,
    by_status: { PENDING: 0, STARTED: 0, RETRY: 0, SUCCESS: 0, FAILURE: 0, CANCELLED: 0 },
    waiting: 0,
    running: 0,
    oldest_waiting_seconds: null,
    accepted: 0,
    throughput_per_second: 0,
    failure_rate: null,
    wait_ms: { p50: null, p95: null, p99: null },
    run_ms: { p50: null, p95: null, p99: null },
    definitions: [],
  })
  expect(Object.keys(stats.by_status)).toEqual([
    'PENDING',
    'STARTED',
    'RETRY',
    'SUCCESS',
    'FAILURE',
    'CANCELLED',
  ])
  expect(new Set(stats.series.wait_p95_ms)).toEqual(new Set([null]))
})

test('finished tasks are counted in their window, in total, by step and by definition', async () => {
  const quick = Array.from({ length: 6 }, () => system.submit('reverse', { text: 'ab' }))
  const failing = [1, 2].map(() => system.submit('divide', { x: 1, y: 0 }))
  const slow = system.submit('sleep', { ms: 300 })
  const tasks = await Promise.all([...quick, ...failing, slow])
  for (const { id } of tasks) await system.taskWhenFinal(id)
  const late = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
  const cancelled = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
  await system.request('POST', `/v1/tasks/${cancelled.id}/cancel`)

  const stats = await until(read, ({ by_status: finished, accepted, waiting }) => {
    return finished.SUCCESS === 7 && finished.CANCELLED === 1 && accepted === 11 && waiting === 1
  })
  expect(stats.by_status).toEqual({
    PENDING: 1,
    STARTED: 0,
    RETRY: 0,
    SUCCESS: 7,
    FAILURE: 2,
    CANCELLED: 1,
  })
  expect(stats.failure_rate).toBeCloseTo(2 / 9, 3)
  expect(stats.throughput_per_second).toBeGreaterThan(10 / 310)
  // The delayed task is not due yet.
  expect(stats.oldest_waiting_seconds).toBeNull()
  const { series } = stats
  expect([series.step_seconds, series.starts_at.length]).toEqual([10, 30])
  for (const steps of Object.values(series)) if (Array.isArray(steps)) expect(steps).toHaveLength(30)
  expect([series.accepted, series.succeeded, series.failed, series.cancelled].map(sum)).toEqual([11, 7, 2, 1])
  expect(Math.max(...series.run_p95_ms.map(Number))).toBeGreaterThan(200)
  expect(stats.run_ms.p99).toBeGreaterThan(200)
  expect(stats.run_ms.p99).toBeLessThan(2_000)
  expect(stats.run_ms.p50).toBeLessThan(200)

  expect(stats.definitions.map(({ name }) => name)).toEqual(['divide', 'reverse', 'sleep'])
  const reverse = stats.definitions.find(({ name }) => name === 'reverse')
  expect(reverse).toMatchObject({ accepted: 8, succeeded: 6, failed: 0, cancelled: 1, failure_rate: 0 })
  expect(sum(reverse?.series ?? [])).toBe(7)
  expect(stats.definitions.find(({ name }) => name === 'divide')?.failure_rate).toBe(1)
  await system.request('POST', `/v1/tasks/${late.id}/cancel`)
})

test('waiting and running tasks are counted as they are now, with the age of the oldest due task', async () => {
  const failing = await system.submit(
    'email',
    { recipient: 'fail@example.com', subject: 's', body: 'b' },
    { max_retries: 9 },
  )
  const running = await system.submit('sleep', { ms: 60_000 })
  const createdAt = new Date(Date.now() - 3_600_000)
  const old = { id: newId(createdAt.getTime()), name: 'reverse', queue: 'unserved', input: {}, createdAt }
  await system.connections.taskStore.insertMany([{ ...old, maxRetries: 0, timeoutMs: 1_000, tags: [] }])
  const stats = await until(read, ({ by_status: now }) => now.RETRY + now.STARTED === 2 && now.RETRY === 1)
  expect(stats).toMatchObject({ by_status: { PENDING: 1, STARTED: 1, RETRY: 1 }, waiting: 2, running: 1 })
  expect(stats.oldest_waiting_seconds).toBeCloseTo(3_600, -2)
  for (const { id } of [failing, running]) await system.request('POST', `/v1/tasks/${id}/cancel`)
})

test('events from before the window are not counted, and the last step contains the present', async () => {
  await system.connections.database.query(sql`delete from activity`)
  const { add } = system.connections.activityStore
  const addFailures = (secondsAgo: number, count: number) =>
    add([{ name: 'reverse', measure: 'FAILURE', bucket: 0, count, ageMs: secondsAgo * 1_000 }])
  await addFailures(7_000, 1)
  await addFailures(90_000, 10)
  await addFailures(600_000, 100)
  const failuresIn = async (window: number) => {
    const { by_status: byStatus, series, at } = await read(window)
    const last = Date.parse(series.starts_at.at(-1) ?? '')
    expect(last).toBeLessThanOrEqual(Date.parse(at))
    expect(last + series.step_seconds * 1_000).toBeGreaterThan(Date.parse(at))
    expect(Date.parse(at) - Date.parse(series.starts_at[0] ?? '')).toBeLessThanOrEqual(window * 1_000)
    return byStatus.FAILURE
  }
  expect([
    await failuresIn(60),
    await failuresIn(3_600),
    await failuresIn(86_400),
    await failuresIn(604_800),
  ]).toEqual([0, 0, 1, 111])
})
