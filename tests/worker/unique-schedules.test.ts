// Schedules of definitions with `unique`: what a tick and a run on request do that meet a task.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { pause } from '../../src/base/loop.ts'
import type { TaskDefinition } from '../../src/definitions/define.ts'
import { completeSchedule, type Schedule } from '../../src/definitions/schedule.ts'
import type { SubmitOptions } from '../../src/service/submit.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createUniqueDefinitions } from '../support/unique-definitions.ts'

const { definitions } = createUniqueDefinitions()
const ofCode = definitions.find(({ name }) => name === 'until_finished') as TaskDefinition
const withSchedule: TaskDefinition = {
  ...ofCode,
  name: 'of_code',
  schedules: [{ name: 'of-code', everySeconds: 1, overlap: 'allow', input: { key: 'code' } }],
}

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false, definitions: [...definitions, withSchedule] })
})
afterAll(() => system.stop())

/** The key of the tasks of a test, and the prefix of the names of its schedules. */
let key = ''
let count = 0
beforeEach(() => {
  key = `test-${count++}`
})

const query: TestSystem['connections']['database']['query'] = (statement) =>
  system.connections.database.query(statement)

/** Starts workers that make tasks of schedules, and run none. */
function startSchedulers(number = 1) {
  for (let index = 0; index < number; index++) startWorker(['none'])
}

function startWorker(queues: string[]) {
  // The reconciler would hold tasks that were not held after the commit.
  const worker = system.startWorker({ queues, scheduleMs: 100, reconcileMs: 3_600_000 })
  onTestFinished(async () => void (await worker.stop(0)))
}

// Ticks once a year: the test sets `next_at`.
const YEARLY = { cron: '0 0 1 1 *' }

/** Creates or replaces a schedule of the API whose tick is due now. */
async function makeTick(definition: string, given: Partial<Schedule> = {}, inMs = 0): Promise<string> {
  const name = given.name ?? key
  const { scheduleStore } = system.connections
  const complete = completeSchedule(definition, { ...YEARLY, input: { key }, ...given, name })
  await scheduleStore.put(complete, (await scheduleStore.nowMs()) + inMs)
  // A replaced schedule keeps its next tick.
  await query(sql`
    update schedules set next_at = clock_timestamp() + ${inMs}::float8 * interval '1 ms', version = version + 1 where name = ${name}`)
  return name
}

const rowOf = async (name: string) => system.connections.scheduleStore.find(name)
const runsOf = (name = key) => system.connections.scheduleStore.runsOf(name, 1_000)

/** Makes a tick and waits until a worker has dealt with it. @returns the last run */
async function tick(definition: string, given: Partial<Schedule> = {}) {
  const name = await makeTick(definition, given)
  await until(
    () => rowOf(name),
    (row) => (row?.nextAt.getTime() ?? 0) > Date.now() + 1_000,
  )
  const [run] = await runsOf(name)
  return run as NonNullable<typeof run>
}

const submit = (definition: string, input: object = {}, options?: SubmitOptions) =>
  system.service.submit(definition, { key, ...input }, options)

async function tasksOf(input: string) {
  const rows = await query<{ id: string }>(
    sql`select id from tasks where input->>'key' = ${input} order by id`,
  )
  return rows.map(({ id }) => id)
}

test('a schedule of the code has one task as long as it is met', async () => {
  const ticks: { made: number; skipped: number }[] = []
  const accepted: string[] = []
  system.events.on('schedule.ticked', ({ schedule, ...tick }) => {
    if (schedule === 'of-code') ticks.push(tick)
  })
  system.events.on('tasks.accepted', ({ tasks }) => accepted.push(...tasks.map(({ name }) => name)))
  startSchedulers()
  const runs = await until(
    () => runsOf('of-code'),
    ({ length }) => length >= 3,
  )
  const ids = await tasksOf('code')
  expect(ids).toHaveLength(1)
  expect(runs.map(({ taskId }) => taskId)).toEqual(runs.map(() => ids[0]))
  expect(runs.map(({ isExisting }) => isExisting)).toEqual([...runs.slice(1).map(() => true), false])
  const { skipped, lastTaskIds } = (await rowOf('of-code')) ?? {}
  expect(skipped).toBeGreaterThanOrEqual(runs.length - 1)
  expect(lastTaskIds).toEqual(ids)
  // On a busy machine a tick can be late, and then stands for several.
  expect(ticks.map(({ made }) => made)).toEqual([1, ...ticks.slice(1).map(() => 0)])
  expect(ticks[1]?.skipped).toBeGreaterThanOrEqual(1)
  expect(accepted).toEqual(['of_code'])
})

describe('a tick', () => {
  beforeEach(() => startSchedulers())

  test('that meets a task makes none; the schedule shows the task that it has met', async () => {
    const { id } = await submit('until_finished', { n: 1 })
    expect(await tick('until_finished', { input: { key, n: 2 } })).toMatchObject({
      taskId: id,
      isExisting: true,
      isManual: false,
    })
    const { body } = await system.request('GET', `/v1/schedules/${key}`)
    expect(body).toMatchObject({
      skipped: 1,
      last_tick_at: expect.any(String),
      runs: [{ task_id: id, status: 'PENDING', is_manual: false, is_existing: true }],
    })
    expect(await system.task(id)).toMatchObject({ input: { n: 1 } })
    expect(await tasksOf(key)).toEqual([id])
  })

  test('makes a task that submissions meet', async () => {
    const { taskId } = await tick('until_finished')
    expect(await submit('until_finished')).toMatchObject({ id: taskId, isExisting: true })
  })

  test('with another key makes its own task', async () => {
    await submit('until_finished')
    const run = await tick('until_finished', { input: { key: `${key}-other` } })
    expect(run).toMatchObject({ isExisting: false })
    expect(await tasksOf(`${key}-other`)).toEqual([run.taskId])
  })

  test('replaces the input of a waiting task', async () => {
    const { id } = await submit('replaced', { n: 1, secret: 'first' })
    expect(await tick('replaced', { input: { key, n: 2 } })).toMatchObject({ taskId: id, isExisting: true })
    expect(await system.task(id)).toMatchObject({ status: 'PENDING', input: { key, n: 2 } })
    const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
    expect(body).toMatchObject({ data: [{ fields: { replaced_input: { n: 1, secret: '[sensitive]' } } }] })
  })

  test('delays the start of a task with debounce, also of its own, up to the maximum', async () => {
    const before = Date.now()
    const { taskId } = await tick('debounced', { overlap: 'allow' })
    const first = await system.task(taskId)
    expect(Date.parse(first.run_at)).toBeGreaterThanOrEqual(before + 60_000)
    await query(
      sql`update unique_tasks set first_at = first_at - interval '20 s' where task_id = ${taskId}::uuid`,
    )
    await query(sql`update tasks set run_at = run_at - interval '20 s' where id = ${taskId}::uuid`)
    expect(await tick('debounced', { overlap: 'allow' })).toMatchObject({ taskId, isExisting: true })
    const second = await system.task(taskId)
    expect(Date.parse(second.run_at)).toBeGreaterThanOrEqual(before + 60_000)
    await query(
      sql`update unique_tasks set first_at = first_at - interval '60 s' where task_id = ${taskId}::uuid`,
    )
    await tick('debounced', { overlap: 'allow' })
    expect((await system.task(taskId)).run_at).toBe(second.run_at)
  })

  test('meets a task for some seconds, also when it has ended', async () => {
    const { taskId } = await tick('for_an_hour')
    await system.request('POST', `/v1/tasks/${taskId}/cancel`)
    expect(await tick('for_an_hour')).toMatchObject({ taskId, status: 'CANCELLED', isExisting: true })
    await query(
      sql`update unique_tasks set first_at = first_at - interval '1 hour' where task_id = ${taskId}::uuid`,
    )
    const run = await tick('for_an_hour')
    expect(run).toMatchObject({ status: 'PENDING', isExisting: false })
    expect(await tasksOf(key)).toEqual([taskId, run.taskId])
  })

  test('is decided by its overlap first, for which the task that it has met counts', async () => {
    const { id } = await submit('replaced', { n: 1 })
    await tick('replaced', { input: { key, n: 2 } })
    await tick('replaced', { input: { key, n: 3 } })
    expect(await system.task(id)).toMatchObject({ input: { n: 2 } })
    expect(await runsOf()).toHaveLength(1)
    expect(await rowOf(key)).toMatchObject({ skipped: 2, lastTaskIds: [id] })
  })

  test('that is repeated, because the clock was put back, changes nothing', async () => {
    const { id } = await submit('replaced', { n: 1 })
    const { tickAt } = await tick('replaced', { overlap: 'allow', input: { key, n: 2 } })
    await submit('replaced', { n: 3 })
    await query(sql`
      update schedules set next_at = ${tickAt.toISOString()}::timestamptz, version = version + 1 where name = ${key}`)
    await until(
      () => rowOf(key),
      (row) => (row?.nextAt.getTime() ?? 0) > Date.now() + 1_000,
    )
    expect(await runsOf()).toHaveLength(1)
    expect(await rowOf(key)).toMatchObject({ skipped: 1 })
    expect(await system.task(id)).toMatchObject({ input: { n: 3 } })
  })

  test('is not made if the key function does not accept the input, which the schedule shows', async () => {
    const input = { key: 'throw' }
    const schedule = { definition: 'bad_key', input, every_seconds: 60 }
    const { status, body } = await system.request('PUT', `/v1/schedules/${key}`, schedule)
    expect([status, body]).toMatchObject([422, { detail: expect.stringContaining('no such customer') }])
    await makeTick('bad_key', { input })
    const other = await makeTick('until_finished', { name: `${key}-other` })
    await until(
      () => runsOf(other),
      ({ length }) => length === 1,
    )
    expect(await runsOf()).toEqual([])
    const shown = await system.request('GET', `/v1/schedules/${key}`)
    expect(shown.body).toMatchObject({ problem: expect.stringContaining('no such customer') })
    await system.connections.scheduleStore.remove(key)
  })

  test('several missed ticks of one key that are caught up together are one task', async () => {
    const hourly = { cron: undefined, everySeconds: 3_600, overlap: 'allow', catchUp: 'all' } as const
    const name = await makeTick('replaced', hourly, 3_600_000)
    await query(sql`
      update schedules set version = version + 1, next_at = date_trunc('hour', now()) - interval '3 hours' where name = ${name}`)
    const runs = await until(runsOf, ({ length }) => length >= 3)
    const ids = await tasksOf(key)
    expect(ids).toHaveLength(1)
    expect(runs.map(({ taskId }) => taskId)).toEqual(runs.map(() => ids[0]))
    expect(runs.filter(({ isExisting }) => !isExisting)).toHaveLength(1)
    expect(await rowOf(name)).toMatchObject({ skipped: runs.length - 1, lastTaskIds: ids })
    await system.connections.scheduleStore.remove(name)
  })
})

describe('a run on request', () => {
  const run = (name = key) =>
    system.request('POST', `/v1/schedules/${name}/run`) as Promise<{
      status: number
      headers: Headers
      body: TaskView
    }>

  test('that meets a task gets it with status 200, as a submission does', async () => {
    await makeTick('replaced', { input: { key, n: 2 } }, 3_600_000)
    const first = await run()
    expect([first.status, first.body.is_existing]).toEqual([202, undefined])
    const submitted = await submit('replaced', { n: 1 })
    expect(submitted.id).toBe(first.body.id)
    const second = await run()
    expect(second.status).toBe(200)
    expect(second.headers.get('Location')).toBe(`/v1/tasks/${submitted.id}`)
    expect(second.body).toMatchObject({
      id: submitted.id,
      status: 'PENDING',
      input: { key, n: 2 },
      is_existing: true,
    })
    expect(await runsOf()).toMatchObject([
      { taskId: submitted.id, isManual: true, isExisting: true },
      { taskId: submitted.id, isManual: true, isExisting: false },
    ])
    // It counts ticks.
    expect(await rowOf(key)).toMatchObject({ skipped: 0, lastTaskIds: [submitted.id] })
  })

  test('makes a task that runs, also under limits', async () => {
    startWorker(['default'])
    for (const definition of ['until_finished', 'replaced_and_limited', 'debounced_and_limited']) {
      const name = await makeTick(
        definition,
        { name: `${key}-${definition.replaceAll('_', '-')}` },
        3_600_000,
      )
      const { status, body } = await run(name)
      expect(status).toBe(202)
      expect(await system.taskWhenFinal(body.id)).toMatchObject({ status: 'SUCCESS' })
    }
  })

  test('of a schedule that does not exist gets 404', async () => {
    await makeTick('until_finished', {}, 3_600_000)
    const { scheduleStore } = system.connections
    const task = { id: '00000000-0000-7000-8000-000000000000', name: 'until_finished' }
    expect(await scheduleStore.runUnique('removed', task as never)).toBeNull()
    await scheduleStore.remove(key)
    expect((await run()).status).toBe(404)
  })
})

describe('with limits', () => {
  test('a tick makes a task that is held, and runs', async () => {
    startWorker(['default'])
    for (const definition of ['replaced_and_limited', 'debounced_and_limited']) {
      const { taskId } = await tick(definition, { name: `${key}-${definition.replaceAll('_', '-')}` })
      expect(await system.taskWhenFinal(taskId)).toMatchObject({ status: 'SUCCESS' })
    }
    const groups = await query(
      sql`select distinct name from task_groups where concurrency_key = ${key} order by name`,
    )
    expect(groups).toEqual([{ name: 'debounced_and_limited' }, { name: 'replaced_and_limited' }])
  })

  test('a task that gets the input of a tick waits under its key, and keeps its priority and expiry', async () => {
    startSchedulers()
    const expiresAt = new Date(Date.now() + 3_600_000)
    const { id } = await submit('replaced_and_limited', {}, { priority: 'high', expiresAt })
    const run = await tick('replaced_and_limited', { input: { key: `${key}-b` } })
    expect(run).toMatchObject({ taskId: id, isExisting: true })
    expect(await system.task(id)).toMatchObject({
      input: { key: `${key}-b` },
      priority: 'high',
      expires_at: expiresAt.toISOString(),
    })
    const held = await until(
      () =>
        query<{ key: string }>(sql`
        select task_groups.concurrency_key as key from held_tasks join task_groups on id = group_id where task_id = ${id}::uuid`),
      ({ length }) => length === 1,
    )
    expect(held).toEqual([{ key: `${key}-b` }])
    startWorker(['default'])
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
  })
})

test('several workers make one task for all schedules of a key that are due at once', async () => {
  const KEYS = 5
  const names = Array.from({ length: 60 }, (_, index) => `${key}-${index}`)
  for (const [index, name] of names.entries())
    await makeTick('until_finished', { name, input: { key: `${key} ${index % KEYS}` } }, 1_000)
  startSchedulers(3)
  const runs = await until(
    async () => (await Promise.all(names.map(runsOf))).flat(),
    ({ length }) => length === names.length,
  )
  const made = runs.filter(({ isExisting }) => !isExisting).map(({ taskId }) => taskId)
  expect(made).toHaveLength(KEYS)
  expect(new Set(runs.map(({ taskId }) => taskId))).toEqual(new Set(made))
  const ids = await Promise.all(Array.from({ length: KEYS }, (_, index) => tasksOf(`${key} ${index}`)))
  expect(new Set(ids.flat())).toEqual(new Set(made))
})

test('each tick has one outcome although processes are killed again and again', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const names = Array.from({ length: 30 }, (_, index) => `${key}-${index}`)
  const each = { cron: undefined, everySeconds: 1, overlap: 'allow', catchUp: 'all' } as const
  for (const [index, name] of names.entries())
    await makeTick('replaced_until_finished', {
      ...each,
      name,
      input: { key: `${key} ${index % 3}`, n: index },
    })
  await query(sql`update schedules set next_at = date_trunc('second', next_at) where name like ${`${key}-%`}`)
  const end = new AbortController()
  const cancelling = cancelAgainAndAgain(end.signal)
  for (let round = 0; round < 5; round++) {
    const processes = await Promise.all([startScheduler(), startScheduler()])
    const before = (await runsOf(names[0])).length
    await until(
      () => runsOf(names[0]),
      ({ length }) => length > before + 1,
    )
    for (const process of processes) {
      const ended = once(process, 'exit')
      process.kill('SIGKILL')
      await ended
    }
  }
  end.abort()
  await cancelling
  const runs = (await Promise.all(names.map(runsOf))).flat()
  const made = runs.filter(({ isExisting }) => !isExisting).map(({ taskId }) => taskId)
  const tasks = (await Promise.all([0, 1, 2].map((index) => tasksOf(`${key} ${index}`)))).flat()
  // Each task was made by one tick, and each tick has made or met one of them.
  expect(made.toSorted()).toEqual(tasks.toSorted())
  expect(runs.filter(({ taskId }) => !tasks.includes(taskId))).toEqual([])
  expect(made.length).toBeGreaterThan(3)
  for (const name of names) {
    const ofSchedule = (await runsOf(name)).toReversed()
    const ticks = ofSchedule.map(({ tickAt }) => tickAt.getTime() / 1_000)
    expect(ticks, name).toEqual(ticks.map((_, index) => (ticks[0] ?? 0) + index))
    const row = await rowOf(name)
    expect(row?.nextAt.getTime()).toBe(((ticks.at(-1) ?? 0) + 1) * 1_000)
    expect(row?.skipped).toBe(ofSchedule.filter(({ isExisting }) => isExisting).length)
    expect(row?.lastTaskIds).toEqual([ofSchedule.at(-1)?.taskId])
  }
  await query(sql`delete from schedules where name like ${`${key}-%`}`)

  async function cancelAgainAndAgain(signal: AbortSignal) {
    while (!signal.aborted) {
      await pause(300)
      const waiting = await query<{ id: string }>(
        sql`select id from tasks where status = 'PENDING' and input->>'key' like ${`${key} %`}`,
      )
      await system.service.cancelMany(waiting.map(({ id }) => id))
    }
  }
})

async function startScheduler() {
  const script = fileURLToPath(new URL('../support/unique-scheduler.ts', import.meta.url))
  const child = fork(script, [system.database.url, system.redis.url])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}
