// The API of schedules.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ScheduleView } from '../../src/api/schedules/schedule-view.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const secret = defineTask({
  name: 'secret',
  title: 'Secret',
  description: 'Has a sensitive field.',
  input: z.object({ token: z.string().meta({ sensitive: true }) }),
  output: z.null(),
  example: { token: 'x' },
  schedules: [
    {
      name: 'of-code',
      cron: '30 2 * * *',
      timeZone: 'Europe/Berlin',
      input: { token: 'hidden' },
      jitterSeconds: 60,
    },
  ],
  run: async () => null,
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [secret], worker: { scheduleMs: 100 } })
  await until(
    () => system.connections.scheduleStore.find('of-code'),
    (row) => row !== undefined,
  )
})
afterAll(() => system.stop())

const NIGHTLY = {
  definition: 'reverse',
  input: { text: 'nightly' },
  cron: '30 2 * * *',
  time_zone: 'Europe/Berlin',
}

async function request<Body = ScheduleView>(method: string, path: string, body?: unknown) {
  const response = await system.request(method, `/v1/schedules${path}`, body)
  return { ...response, body: response.body as Body }
}

interface Problem {
  type: string
  detail: string
  errors?: { pointer: string; detail: string }[]
}

const remove = (name: string) => request('DELETE', `/${name}`)

test('a schedule is created, read, replaced and deleted', async () => {
  const created = await request('PUT', '/nightly', NIGHTLY)
  expect([created.status, created.body]).toEqual([
    201,
    {
      name: 'nightly',
      ...NIGHTLY,
      every_seconds: null,
      overlap: 'skip',
      catch_up: 'one',
      jitter_seconds: 0,
      source: 'api',
      is_paused: false,
      paused_at: null,
      next_at: expect.stringMatching(/T0[01]:30:00.000Z$/),
      waiting_at: null,
      last_tick_at: null,
      skipped: 0,
      problem: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    },
  ])
  expect((await request('GET', '/nightly')).body).toEqual({ ...created.body, runs: [] })

  const changed = { ...NIGHTLY, input: { text: 'other' }, overlap: 'wait' }
  const replaced = await request('PUT', '/nightly', changed)
  expect([replaced.status, replaced.body]).toEqual([
    200,
    { ...created.body, ...changed, updated_at: expect.any(String) },
  ])
  const every = await request('PUT', '/nightly', {
    ...NIGHTLY,
    cron: undefined,
    time_zone: undefined,
    every_seconds: 60,
  })
  expect(every.body).toMatchObject({ cron: null, time_zone: null, every_seconds: 60 })
  expect(Date.parse(every.body.next_at ?? '')).toBeLessThan(Date.now() + 61_000)

  expect((await remove('nightly')).status).toBe(204)
  expect((await request('GET', '/nightly')).status).toBe(404)
  expect((await remove('nightly')).status).toBe(404)
})

test('schedules are listed by their names, in pages', async () => {
  const names = ['list-a', 'list-b', 'list-c']
  for (const name of names) await request('PUT', `/${name}`, NIGHTLY)
  const first = await request<{ data: ScheduleView[]; next_cursor: string }>('GET', '?limit=2&cursor=list-')
  expect(first.body.data.map(({ name }) => name)).toEqual(['list-a', 'list-b'])
  const second = await request<{ data: ScheduleView[]; next_cursor: null }>(
    'GET',
    `?limit=2&cursor=${first.body.next_cursor}`,
  )
  expect(second.body.data.map(({ name }) => name)).toEqual(['list-c', 'of-code'])
  expect(second.body.next_cursor).toBeNull()
  for (const name of names) await remove(name)
})

test('a schedule is paused and resumed, and a replacement keeps its pause', async () => {
  await request('PUT', '/paused', NIGHTLY)
  for (const _ of [1, 2]) {
    const { status, body } = await request('POST', '/paused/pause')
    expect([status, body.is_paused, body.next_at]).toEqual([200, true, null])
  }
  expect((await request('PUT', '/paused', NIGHTLY)).body).toMatchObject({ is_paused: true })
  for (const _ of [1, 2]) {
    const { status, body } = await request('POST', '/paused/resume')
    expect([status, body]).toMatchObject([
      200,
      { is_paused: false, paused_at: null, next_at: expect.any(String) },
    ])
  }
  await remove('paused')
})

test('a task is made on request, also while the schedule is paused', async () => {
  const { body: before } = await request('PUT', '/manual', NIGHTLY)
  await request('POST', '/manual/pause')
  const { status, headers, body: task } = await request<TaskView>('POST', '/manual/run')
  expect([status, headers.get('Location')]).toEqual([202, `/v1/tasks/${task.id}`])
  expect(task).toMatchObject({ name: 'reverse', input: { text: 'nightly' }, status: 'PENDING' })
  expect(task.request_id).toBe(headers.get('X-Request-Id'))
  const done = await system.taskWhenFinal(task.id)
  expect(done).toMatchObject({ status: 'SUCCESS', result: { text: 'ylthgin' }, request_id: task.request_id })
  const { body } = await request<ScheduleView & { runs: object[] }>('GET', '/manual')
  expect(body.runs).toEqual([
    {
      tick_at: expect.any(String),
      task_id: task.id,
      status: 'SUCCESS',
      is_manual: true,
      is_existing: false,
    },
  ])
  await request('POST', '/manual/resume')
  expect((await request('GET', '/manual')).body).toMatchObject({
    next_at: before.next_at,
    last_tick_at: null,
  })
  await remove('manual')
})

test('the runs of a schedule have the status of their tasks; null if the task was removed', async () => {
  await request('PUT', '/runs', { definition: 'reverse', input: { text: 'runs' }, every_seconds: 1 })
  const { runs } = await until(
    async () => (await request<{ runs: { status: string | null; task_id: string }[] }>('GET', '/runs')).body,
    ({ runs }) => runs.length >= 2 && runs.slice(-1)[0]?.status === 'SUCCESS',
  )
  const id = runs.at(-1)?.task_id
  await system.connections.database.query(sql`delete from tasks where id = ${id}::uuid`)
  const { body } = await request<{ runs: { status: string | null; task_id: string }[] }>('GET', '/runs')
  expect(body.runs.find(({ task_id }) => task_id === id)?.status).toBeNull()
  await remove('runs')
})

describe('a preview shows the next ticks', () => {
  test('of a stored schedule', async () => {
    const { status, body } = await request<{ data: { tick_at: string; local_time: string }[] }>(
      'GET',
      '/of-code/preview?count=3',
    )
    expect(status).toBe(200)
    expect(body.data).toHaveLength(3)
    for (const { tick_at, local_time } of body.data) {
      expect(Date.parse(tick_at)).toBe(Date.parse(local_time))
      expect(local_time).toMatch(/T0[23]:[03]0:00\+0[12]:00$/)
    }
    expect((await request<{ data: object[] }>('GET', '/of-code/preview')).body.data).toHaveLength(20)
  })

  test('of one that is not stored', async () => {
    const body = { definition: 'reverse', input: { text: 'a' }, every_seconds: 3_600 }
    const preview = await request<{ data: { tick_at: string; local_time: string }[] }>(
      'POST',
      '/preview?count=2',
      body,
    )
    expect(preview.status).toBe(200)
    const [first, second] = preview.body.data.map(({ tick_at }) => Date.parse(tick_at))
    expect((second ?? 0) - (first ?? 0)).toBe(3_600_000)
    expect(preview.body.data[0]?.local_time).toMatch(/:00:00\+00:00$/)
    const { body: problem } = await request<Problem>('POST', '/preview', { ...body, every_seconds: 0 })
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['#/every_seconds'])
  })

  test('at most 100', async () => {
    expect((await request('GET', '/of-code/preview?count=101')).status).toBe(400)
    expect((await request('GET', '/of-code/preview?count=0')).status).toBe(400)
  })
})

test.each<[object, string[]]>([
  [{ cron: '30 2 30 2 *' }, ['#/cron']],
  [{ cron: 'tomorrow' }, ['#/cron']],
  [{ cron: undefined }, ['#/cron', '#/time_zone']],
  [{ time_zone: 'Europe/Atlantis' }, ['#/time_zone']],
  [{ every_seconds: 60 }, ['#/every_seconds']],
  [{ definition: 'unknown' }, ['#/definition']],
  [{ definition: 'callback' }, ['#/definition']],
  [{ input: { text: 7 } }, ['#/input/text']],
  [{ input: undefined }, ['#/input']],
  [{ overlap: 'never' }, ['#/overlap']],
  [{ catch_up: 'all' }, ['#/catch_up']],
  [{ jitter_seconds: -1 }, ['#/jitter_seconds']],
  [{ name: 'nightly' }, ['#/name']],
  [{ definition: 'secret', input: { token: '[sensitive]' } }, ['#/input/token']],
])('%j is refused with a pointer', async (given, pointers) => {
  const { status, body } = await request<Problem>('PUT', '/refused', { ...NIGHTLY, ...given })
  expect([status, body.errors?.map(({ pointer }) => pointer)]).toEqual([422, pointers])
  expect((await request('GET', '/refused')).status).toBe(404)
})

describe('a schedule of the code', () => {
  test('is shown, with its sensitive values masked', async () => {
    expect((await request('GET', '/of-code')).body).toMatchObject({
      source: 'code',
      definition: 'secret',
      input: { token: '[sensitive]' },
      cron: '30 2 * * *',
      time_zone: 'Europe/Berlin',
      jitter_seconds: 60,
    })
  })

  test('can be paused, resumed and run, but not replaced or deleted', async () => {
    for (const { status, body } of [
      await request<Problem>('PUT', '/of-code', NIGHTLY),
      await request<Problem>('DELETE', '/of-code'),
    ]) {
      expect([status, body.type]).toEqual([409, 'urn:waggle:problem:schedule_in_code'])
      expect(body.detail).toContain('Schedule "of-code" is part of the code')
    }
    expect((await request('POST', '/of-code/pause')).body).toMatchObject({ is_paused: true })
    const { body } = await request<TaskView>('POST', '/of-code/run')
    expect(body.input).toEqual({ token: '[sensitive]' })
    expect((await request('POST', '/of-code/resume')).body).toMatchObject({ is_paused: false })
  })
})

test('a schedule whose definition does not exist shows the problem and cannot be run', async () => {
  await request('PUT', '/broken', NIGHTLY)
  await system.connections.database.query(sql`update schedules set definition = 'gone' where name = 'broken'`)
  expect((await request('GET', '/broken')).body.problem).toBe(
    'There is no task "gone" in this version of the code',
  )
  const { status, body } = await request<Problem>('POST', '/broken/run')
  expect([status, body.type]).toEqual([409, 'urn:waggle:problem:schedule_refused'])
  await remove('broken')
})

test.each(['Nightly', 'a b', '1st', 'x'.repeat(101), '%00'])('the name %j gets 404', async (name) => {
  const path = `/${name === '%00' ? name : encodeURIComponent(name)}`
  for (const { status, body } of [
    await request<Problem>('PUT', path, NIGHTLY),
    await request<Problem>('GET', path),
    await request<Problem>('DELETE', path),
    await request<Problem>('POST', `${path}/pause`),
    await request<Problem>('POST', `${path}/resume`),
    await request<Problem>('POST', `${path}/run`),
    await request<Problem>('GET', `${path}/preview`),
  ])
    expect([status, body.type]).toEqual([404, 'urn:waggle:problem:unknown_schedule'])
})

test('a schedule can have the name of a route', async () => {
  expect((await request('PUT', '/preview', NIGHTLY)).status).toBe(201)
  expect((await request('GET', '/preview')).body.name).toBe('preview')
  expect((await request('GET', '/preview/preview')).status).toBe(200)
  expect((await remove('preview')).status).toBe(204)
})
