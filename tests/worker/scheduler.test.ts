// Schedules make one task per tick: with several workers, through crashes, after outages, with overlaps and
// pauses.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { type CompleteSchedule, completeSchedule, type Schedule } from '../../src/definitions/schedule.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

const gated = createGatedTask()
const limited = defineTask({
  name: 'limited',
  title: 'Has a limit and a priority',
  description: 'For tests.',
  priority: 'high',
  concurrency: { limit: 1, key: ({ text }: { text: string }) => text },
  input: z.object({ text: z.string() }),
  output: z.null(),
  example: { text: 'a' },
  run: async () => null,
})
const scheduled = defineTask({
  name: 'scheduled',
  title: 'Has a schedule',
  description: 'For tests.',
  queue: 'scheduled',
  maxRetries: 7,
  timeoutMs: 12_345,
  input: z.object({ text: z.string(), more: z.number().default(5) }),
  output: z.null(),
  example: { text: 'a', more: 5 },
  schedules: [{ name: 'of-code', everySeconds: 1, input: { text: 'code' }, overlap: 'allow' }],
  run: async () => null,
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({
    worker: false,
    definitions: [...createTestDefinitions(), gated.definition, scheduled, limited],
  })
})
afterAll(() => system.stop())

// A schedule with a tick once a year. The tests set `next_at` to make it due.
const YEARLY = { cron: '0 0 1 1 *' }
let count = 0

/** Creates a schedule of the API whose next tick is `inMs` from now, by the clock of Postgres. */
async function create(given: Partial<Schedule> & { definition?: string }, inMs: number): Promise<string> {
  const { definition = 'reverse', ...schedule } = given
  const name = schedule.name ?? `test-${count++}`
  const times = schedule.everySeconds === undefined ? YEARLY : {}
  const complete = completeSchedule(definition, { input: { text: name }, ...times, ...schedule, name })
  await put(complete, inMs)
  return name
}

async function put(schedule: CompleteSchedule, inMs: number) {
  const { scheduleStore } = system.connections
  await scheduleStore.put(schedule, (await scheduleStore.nowMs()) + inMs)
}

const rowOf = (name: string) => system.connections.scheduleStore.find(name)
const runsOf = (name: string) => system.connections.scheduleStore.runsOf(name, 1_000)
const makeDue = (name: string, ms = 0) =>
  system.connections.database.query(
    sql`update schedules set next_at = now() - ${ms}::float8 * interval '1 ms', version = version + 1 where name = ${name}`,
  )

/** Waits until the schedule has made this many tasks. */
const untilRuns = (name: string, expected: number) =>
  until(
    () => runsOf(name),
    (runs) => runs.length === expected,
  )

/** Waits until a worker has dealt with all due ticks of the schedule. */
const untilMoved = (name: string) =>
  until(
    () => rowOf(name),
    (row) => row !== undefined && row.nextAt.getTime() > Date.now() + 1_000,
  )

function startWorker(options = {}) {
  const worker = system.startWorker({ scheduleMs: 100, ...options })
  onTestFinished(() => void worker.stop(0))
  return worker
}

test('a schedule of the code makes tasks like submissions of its definition', async () => {
  const worker = startWorker({ queues: ['default'] })
  const runs = await until(
    () => runsOf('of-code'),
    ({ length }) => length >= 3,
  )
  await worker.stop(0)
  const ticks = runs.map(({ tickAt }) => tickAt.getTime())
  expect(new Set(ticks).size).toBe(ticks.length)
  expect(ticks.every((tick) => tick % 1_000 === 0)).toBe(true)
  const task = await system.task(runs[0]?.taskId ?? '')
  expect(task).toMatchObject({
    name: 'scheduled',
    queue: 'scheduled',
    input: { text: 'code', more: 5 },
    status: 'PENDING',
    max_retries: 7,
    timeout_seconds: 12.345,
    tags: [],
    is_isolated: false,
    run_at: runs[0]?.tickAt.toISOString(),
  })
  expect(await rowOf('of-code')).toMatchObject({ source: 'code', lastTaskIds: [task.id] })
})

test('code that runs alone applies at once, other code only when no newer code has run for a minute', async () => {
  const { codeSchedules, scheduleStore } = system.connections
  await codeSchedules.follow([], { isNewest: true })
  expect(await rowOf('of-code')).toBeUndefined()
  const probe = await create({}, 0)
  const beside = startWorker({ queues: ['default'] })
  await untilRuns(probe, 1)
  await beside.stop(0)
  expect(await rowOf('of-code')).toBeUndefined()
  const alone = startWorker({ queues: ['default'], isOnlyVersion: true })
  await until(
    () => rowOf('of-code'),
    (row) => row !== undefined,
  )
  await alone.stop(0)
  await scheduleStore.pause('of-code')
})

test('1,000 schedules that are due at once make one task each, with three workers', async () => {
  for (let index = 0; index < 1_000; index++) await create({ name: `many-${index}` }, 1_500)
  const workers = [1, 2, 3].map(() => startWorker({ queues: ['default'] }))
  const { database } = system.connections
  const made = await until(
    () =>
      database.query<{ count: number }>(
        sql`select count(*)::int as count from tasks where input->>'text' like 'many-%' group by input->>'text'`,
      ),
    ({ length }) => length === 1_000,
  )
  for (const worker of workers) await worker.stop(0)
  expect(made.filter((each) => each.count !== 1)).toEqual([])
  await database.query(sql`delete from schedules where name like 'many-%'`)
})

test('each tick makes one task although worker processes are killed again and again', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const names: string[] = []
  for (let index = 0; index < 40; index++)
    names.push(
      await create(
        { name: `killed-${index}`, everySeconds: 1, overlap: 'allow', catchUp: 'all' },
        -3_000 - (Date.now() % 1_000),
      ),
    )
  await system.connections.database.query(
    sql`update schedules set next_at = date_trunc('second', next_at) where name like 'killed-%'`,
  )
  const options = { queues: ['default'], scheduleMs: 50 }
  for (let round = 0; round < 5; round++) {
    const workers = await Promise.all([spawnWorker(system, options), spawnWorker(system, options)])
    const before = (await runsOf(names[0] ?? '')).length
    await untilMore(names[0] ?? '', before)
    await Promise.all(workers.map((worker) => worker.kill()))
  }
  const ticks = await system.connections.database.query<{ name: string; ticks: number[] }>(sql`
    -- Not by run_at: it changes when the worker of a task was killed and the task is tried again.
    select schedule as name, json_agg(extract(epoch from tick_at)::int order by tick_at) as ticks
    from schedule_runs join tasks on tasks.id = task_id where schedule like 'killed-%' group by 1`)
  const [count] = await system.connections.database.query<{ tasks: number }>(
    sql`select count(*)::int as tasks from tasks where input->>'text' like 'killed-%'`,
  )
  expect(count?.tasks).toBe(ticks.reduce((sum, { ticks: made }) => sum + made.length, 0))
  expect(ticks).toHaveLength(40)
  for (const { name, ticks: made } of ticks) {
    const [first = 0] = made
    expect(made, name).toEqual(made.map((_, index) => first + index))
    expect((await rowOf(name))?.nextAt.getTime()).toBe(((made.at(-1) ?? 0) + 1) * 1_000)
  }
  await system.connections.database.query(sql`delete from schedules where name like 'killed-%'`)
})

const untilMore = (name: string, before: number) =>
  until(
    () => runsOf(name),
    ({ length }) => length > before,
  )

describe('with one worker', () => {
  beforeAll(() => {
    system.startWorker({ queues: ['default'], scheduleMs: 100 })
  })

  test('missed ticks are caught up as the schedule says', async () => {
    const hour = 3_600_000
    const late = 3 * hour + 60_000
    const hourly = { everySeconds: 3_600, overlap: 'allow' } as const
    const names = await Promise.all([
      create({ ...hourly, catchUp: 'skip' }, hour),
      create({ ...hourly, catchUp: 'one' }, hour),
      create({ ...hourly, catchUp: 'all' }, hour),
    ])
    // Aligned to ticks that are more than a minute ago.
    await system.connections.database.query(sql`
      update schedules set version = version + 1,
        next_at = date_trunc('hour', now() - interval '61 s') - ${late - 60_000 - hour}::float8 * interval '1 ms'
      where name in (select value from json_array_elements_text(${JSON.stringify(names)}::json))`)
    for (const name of names) await untilMoved(name)
    const made = await Promise.all(names.map(runsOf))
    // Right after a full hour, its tick is not missed.
    const inTime = made[0]?.length ?? 0
    expect(inTime).toBeLessThanOrEqual(1)
    expect(made.map(({ length }) => length - inTime)).toEqual([0, 1, 3])
    const row = await rowOf(names[1] ?? '')
    expect(row?.skipped).toBe(2)
    // The tasks start now, and not before tasks that were submitted meanwhile.
    const task = await system.task(made[2]?.at(-1)?.taskId ?? '')
    expect(Date.parse(task.run_at)).toBeGreaterThan(Date.now() - 10 * 60_000)
  })

  test('the jitter delays the task and not the tick', async () => {
    const name = await create({ jitterSeconds: 3_600 }, 0)
    const [run] = await untilRuns(name, 1)
    const task = await system.task(run?.taskId ?? '')
    expect(Date.parse(task.run_at)).toBeGreaterThan(run?.tickAt.getTime() ?? Number.NaN)
    expect(task.status).toBe('PENDING')
  })

  test('a tick is skipped while the last task has not ended', async () => {
    const name = await create({ definition: 'gated', input: { gate: 'skip' } }, 0)
    const [run] = await untilRuns(name, 1)
    await makeDue(name)
    await untilMoved(name)
    expect(await rowOf(name)).toMatchObject({ skipped: 1, waitingAt: null })
    expect(await runsOf(name)).toHaveLength(1)
    gated.open('skip')
    await system.taskWhenFinal(run?.taskId ?? '')
    await makeDue(name)
    await untilRuns(name, 2)
  })

  test('one tick waits for the end of the last task, and further ones are merged into it', async () => {
    const name = await create({ definition: 'gated', input: { gate: 'wait' }, overlap: 'wait' }, 0)
    const [run] = await untilRuns(name, 1)
    for (let tick = 0; tick < 3; tick++) {
      await makeDue(name)
      await untilMoved(name)
    }
    const row = await rowOf(name)
    expect(row).toMatchObject({ skipped: 2, waitingAt: expect.any(Date) })
    expect(await runsOf(name)).toHaveLength(1)
    gated.open('wait')
    await system.taskWhenFinal(run?.taskId ?? '')
    const [second] = await untilRuns(name, 2)
    expect(second?.tickAt).toEqual(row?.waitingAt)
    expect(await rowOf(name)).toMatchObject({ skipped: 2, waitingAt: null })
  })

  test('a task that was made on request counts for overlaps', async () => {
    const name = await create({ definition: 'gated', input: { gate: 'manual' } }, 3_600_000)
    const { body } = await system.request('POST', `/v1/schedules/${name}/run`)
    await makeDue(name)
    await untilMoved(name)
    expect(await runsOf(name)).toMatchObject([{ isManual: true }])
    gated.open('manual')
    await system.taskWhenFinal((body as { id: string }).id)
    await makeDue(name)
    await untilRuns(name, 2)
  })

  test('a paused schedule makes no tasks, and its ticks are not caught up', async () => {
    const name = await create({}, 3_600_000)
    await system.request('POST', `/v1/schedules/${name}/pause`)
    await makeDue(name, 120_000)
    const other = await create({}, 0)
    await untilRuns(other, 1)
    expect(await runsOf(name)).toEqual([])
    await system.request('POST', `/v1/schedules/${name}/resume`)
    const last = await create({}, 0)
    await untilRuns(last, 1)
    expect(await runsOf(name)).toEqual([])
    expect((await rowOf(name))?.nextAt.getTime()).toBeGreaterThan(Date.now())
  })

  test('ticks stay due while no worker has the definition or accepts the input; other schedules go on', async () => {
    const removed = await create({ definition: 'removed', input: {} }, 0)
    const invalid = await create({ definition: 'divide', input: { x: 'no number' } }, 0)
    const zoneless = await create({}, 0)
    await system.connections.database.query(
      sql`update schedules set time_zone = 'Europe/Atlantis', version = version + 1, next_at = now() where name = ${zoneless}`,
    )
    const others = await Promise.all([create({}, 0), create({}, 100)])
    for (const name of others) await untilRuns(name, 1)
    expect(await runsOf(removed)).toEqual([])
    expect(await runsOf(invalid)).toEqual([])
    expect((await rowOf(invalid))?.nextAt.getTime()).toBeLessThan(Date.now())
    const { body } = (await system.request('GET', `/v1/schedules/${invalid}`)) as {
      body: { problem: string }
    }
    expect(body.problem).toContain('#/input/x')
    // Not in every round.
    const refused = system.emitted('schedule.refused').filter(({ schedule }) => schedule === invalid)
    expect(refused).toEqual([{ schedule: invalid, problem: expect.stringContaining('#/input/x: ') }])
    // A valid input is noticed immediately: it is another version of the schedule.
    const row = await rowOf(invalid)
    if (row) await put({ ...row, input: { x: 6, y: 2 } }, 0)
    const [run] = await untilRuns(invalid, 1)
    expect(await system.taskWhenFinal(run?.taskId ?? '')).toMatchObject({ result: { quotient: 3 } })
    const broken = (await system.request('GET', `/v1/schedules/${zoneless}`)) as { body: { problem: string } }
    expect(broken.body.problem).toBe('time_zone must be the name of a time zone, e.g. Europe/Berlin')
    await system.connections.scheduleStore.remove(removed)
    await system.connections.scheduleStore.remove(zoneless)
  })

  test('a tick that is repeated, because the clock was put back, makes no second task', async () => {
    const name = await create({}, 0)
    const [run] = await untilRuns(name, 1)
    await system.connections.database.query(
      sql`update schedules set next_at = ${run?.tickAt.toISOString()}::timestamptz, version = version + 1 where name = ${name}`,
    )
    await untilMoved(name)
    expect(await runsOf(name)).toEqual([expect.objectContaining({ taskId: run?.taskId })])
    const [row] = await system.connections.database.query<{ count: number }>(
      sql`select count(*)::int as count from tasks where input->>'text' = ${name}`,
    )
    expect(row?.count).toBe(1)
  })

  test('the last 100 runs are kept, until the schedule is deleted', async () => {
    // The task of the first tick may run for a while.
    const name = await create({ overlap: 'allow' }, 0)
    await untilRuns(name, 1)
    await system.connections.database.query(sql`
      insert into schedule_runs (schedule, tick_at, task_id)
      select ${name}, now() - n * interval '1 hour', gen_random_uuid() from generate_series(1, 300) as n`)
    await makeDue(name)
    const runs = await untilRuns(name, 101)
    expect(runs.slice(0, 3).map(({ status }) => status !== null)).toEqual([true, true, false])
    await system.connections.scheduleStore.remove(name)
    expect(await runsOf(name)).toEqual([])
  })
})

test('tasks of schedules have the limits and the priority of their definition', async () => {
  const worker = system.startWorker()
  onTestFinished(async () => void (await worker.stop(0)))
  const name = await create({ definition: 'limited', input: { text: 'acme' } }, -1)
  const [run] = await untilRuns(name, 1)
  expect(await system.taskWhenFinal(run?.taskId ?? '')).toMatchObject({ status: 'SUCCESS', priority: 'high' })
  const rows = await system.connections.database.query(
    sql`select priority, concurrency_key from task_groups where name = 'limited'`,
  )
  expect(rows).toEqual([{ priority: 0, concurrency_key: 'acme' }])
  const { body } = await system.request('POST', `/v1/schedules/${name}/run`)
  expect(body).toMatchObject({ priority: 'high' })
  expect(await system.taskWhenFinal((body as { id: string }).id)).toMatchObject({ status: 'SUCCESS' })
})
