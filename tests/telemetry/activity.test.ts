// Activity statistics: every event is counted once, stored counts are not lost, and quantiles are within
// their error.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ActivityStore,
  type ActivityWindow,
  createActivityStore,
} from '../../src/store/activity-store.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { type ActivitySum, bucketOf, quantileOf, SPANS } from '../../src/telemetry/activity.ts'
import { countActivity } from '../../src/telemetry/activity-counter.ts'
import { createEvents, type Events } from '../../src/telemetry/events.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
let store: ActivityStore
beforeAll(async () => {
  system = await startSystem({ definitions: createTestDefinitions() })
  store = system.connections.activityStore
})
afterAll(() => system.stop())

const attempt = { taskId: crypto.randomUUID(), attempt: 1 }
const sum = (more: Partial<ActivitySum>): ActivitySum => ({
  name: 'reverse',
  measure: 'accepted',
  bucket: 0,
  count: 1,
  ageMs: 0,
  ...more,
})

describe('durations', () => {
  test.each([0.95, 0.5, 0.99, 0.01])('have a quantile %d within 19 %% of the exact one', (part) => {
    // From 0.1 ms to hours, the same values in every run.
    const times = Array.from({ length: 5_000 }, (_, n) => 10 ** (((n * 2_654_435_761) % 5_000) / 625 - 1))
    const counts = new Map<number, number>()
    for (const ms of times) counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1)
    const exact = times.toSorted((a, b) => a - b)[Math.ceil(part * times.length) - 1] ?? 0
    const found = quantileOf(counts, part) ?? Number.NaN
    if (exact <= 1) return expect(Math.abs(found - exact)).toBeLessThanOrEqual(1)
    expect(found / exact).toBeGreaterThan(2 ** -0.25)
    expect(found / exact).toBeLessThan(2 ** 0.25)
  })

  test('have a quantile also if all are equal or beyond the largest bucket, and null if there are none', () => {
    const [lower, upper] = [
      quantileOf(new Map([[bucketOf(800), 7]]), 0),
      quantileOf(new Map([[bucketOf(800), 7]]), 1),
    ]
    expect([lower ?? 0, 800, upper ?? 0]).toEqual([lower ?? 0, 800, upper ?? 0].toSorted((a, b) => a - b))
    expect(quantileOf(new Map(), 0.5)).toBeNull()
    expect(quantileOf(new Map([[bucketOf(1e12), 1]]), 0.5)).toBeGreaterThan(7 * 86_400_000)
    expect([bucketOf(-1), bucketOf(0), bucketOf(1), bucketOf(Number.NaN)]).toEqual([0, 0, 0, 0])
  })
})

describe('the counter of a process', () => {
  test('stores every event once', async () => {
    const { events, flush, stored } = countWith()
    events.emit('tasks.accepted', {
      tasks: [taskOf('reverse'), taskOf('reverse'), taskOf('divide'), taskOf('reverse')],
    })
    events.emit('task.started', { ...attempt, name: 'reverse', waitMs: 3 })
    events.emit('task.started', { ...attempt, name: 'reverse', waitMs: 3 })
    events.emit('task.finished', { ...attempt, name: 'reverse', status: 'SUCCESS', runMs: 100 })
    events.emit('task.finished', { ...attempt, name: 'reverse', status: 'RETRY', runMs: 0.4 })
    // Released by a shutdown: the task has not finished, but its code ran.
    events.emit('task.finished', { ...attempt, name: 'reverse', status: 'PENDING', runMs: 0.4 })
    events.emit('attempt.lost', { ...attempt, name: 'reverse', status: 'FAILURE', workerId: null })
    events.emit('tasks.cancelled', { tasks: [{ name: 'divide' }] })
    await flush()
    await flush()
    expect(stored()).toEqual({
      'divide CANCELLED 0': 1,
      'divide accepted 0': 1,
      'reverse FAILURE 0': 1,
      'reverse RETRY 0': 1,
      'reverse SUCCESS 0': 1,
      'reverse accepted 0': 3,
      [`reverse run ${bucketOf(100)}`]: 1,
      'reverse run 0': 2,
      [`reverse wait ${bucketOf(3)}`]: 2,
    })
  })

  test('stores counts later, with their age, after the store was unavailable', async () => {
    const ages: number[] = []
    const { events, flush, stored } = countWith((sums) => {
      ages.push(...sums.map(({ ageMs }) => ageMs))
      if (ages.length < 4) throw new Error('unavailable')
    })
    events.emit('tasks.accepted', { tasks: [taskOf('reverse')] })
    await expect(flush()).rejects.toThrow('unavailable')
    await expect(flush()).rejects.toThrow('unavailable')
    events.emit('tasks.accepted', { tasks: [taskOf('reverse')] })
    await flush()
    expect(stored()).toEqual({ 'reverse accepted 0': 2 })
    const [first = 0, second = 0, third = 0, fresh = 0] = ages
    expect([first, second, third]).toEqual([first, second, third].toSorted((a, b) => a - b))
    expect(fresh).toBeLessThanOrEqual(third)
  })

  test('counts unknown names as "other" beyond a limit', async () => {
    const { events, flush, stored } = countWith()
    for (let n = 0; n < 1_000; n++) {
      events.emit('task.finished', { ...attempt, name: `made_up_${n}`, status: 'RETRY', runMs: 1 })
    }
    await flush()
    const names = new Set(Object.keys(stored()).map((key) => key.split(' ')[0]))
    expect(names.size).toBeLessThan(30)
    expect(stored()['other RETRY 0']).toBeGreaterThan(900)
  })
})

describe('the statistics of all processes', () => {
  let others: Database[]
  beforeAll(async () => {
    others = await Promise.all([1, 2].map(() => openDatabase(system.database.url, { poolSize: 4 })))
  })
  afterAll(() => Promise.all(others.map((database) => database.close())))
  beforeEach(async () => {
    await system.connections.database.query(sql`delete from activity`)
  })

  test('are the sums of concurrent writes, which do not deadlock', async (context) => {
    if (!system.database.isServer) return context.skip('needs several connections')
    const names = Array.from({ length: 40 }, (_, n) => `definition_${n}`)
    const stores = others.map(createActivityStore)
    await Promise.all(
      Array.from({ length: 40 }, (_, round) => {
        const sums = names.map((name) => sum({ name, measure: 'SUCCESS', count: 2 }))
        return stores[round % 2]?.add(round % 3 === 0 ? sums.toReversed() : sums)
      }),
    )
    // Read through a new store that wrote none of them.
    const { byNames, bySteps } = await createActivityStore(others[0] as Database).read(300)
    expect(byNames.length).toBe(names.length)
    expect(new Set(byNames.map(({ count }) => count))).toEqual(new Set([80]))
    expect(bySteps.reduce((all, { count }) => all + count, 0)).toBe(40 * 80)
  })

  test('show in each window exactly its events, in the narrowest steps available', async () => {
    // From one minute to a week: each window has events on both sides of its beginning.
    const windows = [
      [60, 10, 6],
      [300, 10, 30],
      [3_600, 60, 60],
      [86_400, 600, 144],
      [604_800, 4_200, 144],
    ] as const
    for (const [seconds, step] of windows) {
      await store.add([sum({ ageMs: (seconds + 1) * 1_000, count: 100 })])
      await store.add([sum({ ageMs: (seconds - 1.6 * step) * 1_000, count: 1 })])
    }
    for (const [index, [seconds, step, steps]] of windows.entries()) {
      const window = await store.read(seconds)
      expect([window.stepSeconds, window.startsAtMs.length]).toEqual([step, steps])
      // A longer window contains all events of the shorter windows.
      expect(totalOf(window)).toBe(100 * index + index + 1)
      const edge = window.bySteps.find((one) => one.step <= 1)
      expect(edge?.count).toBe(1)
      expect((window.startsAtMs.at(-1) ?? 0) + step * 1_000).toBeGreaterThan(window.atMs)
      expect(window.startsAtMs.at(-1)).toBeLessThanOrEqual(window.atMs)
    }
  })

  test('are deleted when they are old, narrow steps before wide ones', async () => {
    const ages = [60, 3 * 3_600, 3 * 86_400, 9 * 86_400]
    await store.add(ages.map((seconds) => sum({ ageMs: seconds * 1_000 })))
    await store.prune()
    const rows = await system.connections.database.query<{ width: number; count: number }>(
      sql`select width, count(*)::int as count from activity group by width order by width`,
    )
    expect(SPANS.map(({ widthSeconds }) => widthSeconds)).toEqual([10, 60, 600])
    expect(rows).toEqual([
      { width: 10, count: 1 },
      { width: 60, count: 2 },
      { width: 600, count: 3 },
    ])
  })

  test('are read by the primary key', async (context) => {
    if (!system.database.isServer) return context.skip('needs the planner of a server')
    await system.connections.database.query(sql`
      insert into activity select 60, now() - n * interval '1 minute', 'reverse', 'wait', bucket, 1
      from generate_series(1, 500) as n, generate_series(1, 20) as bucket`)
    await system.connections.database.query(sql`vacuum analyze activity`)
    const plan = await system.connections.database.query<{ 'QUERY PLAN': string }>(sql`
      explain select * from activity where width = 60 and starts_at >= now() - interval '10 minutes'`)
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/activity_width_starts_at_\w+_pk/)
  })
})

describe('the statistics of a running system', () => {
  test('count a waiting task that is cancelled and an abandoned task that ends as FAILURE', async () => {
    const countsBefore = await readCounts()
    const waiting = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 600 })
    await system.request('POST', `/v1/tasks/${waiting.id}/cancel`)
    await system.connections.database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, enqueued_at, created_at, started_at,
                         attempt, worker_id)
      select gen_random_uuid(), 'divide', 'default', 'STARTED', '{}', 0, 1000, now(), now(), now(),
             now() - interval '1 hour', 1, gen_random_uuid()`)
    await until(readCounts, (now) => now('divide', 'FAILURE') === countsBefore('divide', 'FAILURE') + 1)
    await until(readCounts, (now) => now('reverse', 'CANCELLED') === countsBefore('reverse', 'CANCELLED') + 1)
    const now = await readCounts()
    expect(now('reverse', 'accepted')).toBe(countsBefore('reverse', 'accepted') + 1)
  })

  async function readCounts() {
    const { byNames } = await store.read(3_600)
    return (name: string, measure: string) =>
      byNames.find((one) => one.name === name && one.measure === measure)?.count ?? 0
  }
})

function taskOf(name: string) {
  return { name, queue: 'default' }
}

function totalOf({ byNames }: ActivityWindow): number {
  return byNames.reduce((all, { count }) => all + count, 0)
}

/** Creates an event emitter with a counter, and records what the counter stores. */
function countWith(onAdd: (sums: ActivitySum[]) => void = () => {}): {
  events: Events
  flush: () => Promise<void>
  stored: () => Record<string, number>
} {
  const events = createEvents()
  const counts: Record<string, number> = {}
  const { flush } = countActivity(events, {
    definitions: [{ name: 'reverse' }, { name: 'divide' }],
    async add(sums) {
      onAdd(sums)
      for (const { name, measure, bucket, count } of sums) {
        const key = `${name} ${measure} ${bucket}`
        counts[key] = (counts[key] ?? 0) + count
      }
    },
  })
  return { events, flush, stored: () => counts }
}
