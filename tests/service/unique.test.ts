// Unique tasks: what a submission does that meets another task of its key.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
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
    const short = await post('for_a_second', {})
    const later = await until(
      () => post('for_a_second', {}),
      ({ status }) => status === 202,
    )
    expect(Date.parse(later.body.created_at) - Date.parse(short.body.created_at)).toBeGreaterThanOrEqual(990)
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
    const worker = system.startWorker()
    const first = await post('replaced_until_finished', { n: 1, does: 'fail' })
    await worker.stop(0)
    await system.connections.database.query(
      (await import('../../src/store/drizzle.ts'))
        .sql`update tasks set run_at = now() + interval '1 hour', enqueued_at = null`,
    )
    expect(first.status).toBe(202)
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
