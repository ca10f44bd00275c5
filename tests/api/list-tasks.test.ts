// Lists of tasks: filters and pages.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { filterFields } from '../../src/api/tasks/task-filters.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTaskRequests, echo, UNKNOWN_ID } from './support/tasks-api.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo] })
})
afterAll(() => system.stop())

/** A value of each filter that matches no task. */
const EXCLUDING: Record<string, string> = {
  status: 'SUCCESS',
  name: 'unknown',
  queue: 'empty',
  worker: UNKNOWN_ID,
  tag: 'unused',
  id: '00000000',
  q: 'a text that no task contains',
  created_after: '2100-01-01T00:00:00Z',
  created_before: '2000-01-01T00:00:00Z',
}

const { get, idsOf } = createTaskRequests(() => system)

describe('GET /v1/tasks', () => {
  // A field that is accepted but not translated into a condition would be ignored. A bulk action with it
  // would then apply to all tasks.
  test.each(Object.keys(filterFields.shape))('the filter %s excludes tasks', async (field) => {
    const own = await startSystem({ worker: false })
    try {
      await own.submit('reverse', { text: 'abc' })
      const value = EXCLUDING[field]
      expect(value, `EXCLUDING has no value for the filter "${field}"`).toBeDefined()
      const { body } = await own.request('GET', `/v1/tasks?${new URLSearchParams({ [field]: value ?? '' })}`)
      expect(body).toMatchObject({ data: [] })
    } finally {
      await own.stop()
    }
  })

  test('each filter returns exactly its tasks', async () => {
    const queue = 'filters'
    const worker = system.startWorker({ queues: [queue] })
    const done = await system.submit('reverse', { text: 'abc' }, { queue, tags: ['blue', 'round'] })
    await system.taskWhenFinal(done.id)
    await worker.stop(0)
    const delayed = { queue, delay_seconds: 3_600 }
    const later = await system.submit('echo', {}, { ...delayed, tags: ['blue'] })
    const cancelled = await system.submit('echo', {}, { ...delayed, tags: ['red'] })
    await system.request('POST', `/v1/tasks/${cancelled.id}/cancel`)

    expect(await idsOf(`queue=${queue}`)).toEqual(newestFirst([cancelled, later, done]))
    expect(await idsOf(`queue=${queue}&status=SUCCESS`)).toEqual([done.id])
    expect(await idsOf(`queue=${queue}&status=SUCCESS,CANCELLED`)).toEqual(newestFirst([cancelled, done]))
    expect(await idsOf(`queue=${queue}&status=SUCCESS&status=CANCELLED`)).toEqual(
      newestFirst([cancelled, done]),
    )
    expect(await idsOf(`queue=empty&queue=${queue}&name=echo&name=unknown`)).toEqual(
      newestFirst([cancelled, later]),
    )
    expect(await idsOf(`queue=${queue}&name=echo`)).toEqual(newestFirst([cancelled, later]))
    expect(await idsOf(`queue=${queue}&name=echo&status=PENDING`)).toEqual([later.id])
    expect(await idsOf(`worker=${worker.id}`)).toEqual([done.id])
    expect(await idsOf(`queue=${queue}&tag=blue`)).toEqual(newestFirst([later, done]))
    expect(await idsOf('tag=round')).toEqual([done.id])
    expect(await idsOf(`id=${later.id}`)).toEqual([later.id])
    expect(await idsOf(`id=${later.id.slice(0, 30)}`)).toEqual([later.id])
    expect(await idsOf(`id=${later.id.slice(0, 18).toUpperCase()}&queue=${queue}`)).toContain(later.id)
    expect(await idsOf(`queue=${queue}&limit=1`)).toHaveLength(1)
    expect(await idsOf('queue=empty')).toEqual([])
    expect(await idsOf('name=unknown')).toEqual([])
  })

  test('created_after includes its timestamp, created_before excludes it', async () => {
    const queue = 'timestamps'
    const first = await system.submit('echo', {}, { queue })
    const second = await submitAfter(first, queue)
    expect(await idsOf(`queue=${queue}&created_after=${second.created_at}`)).toEqual([second.id])
    expect(await idsOf(`queue=${queue}&created_before=${second.created_at}`)).toEqual([first.id])
    expect(await idsOf(`queue=${queue}&created_after=${first.created_at}`)).toEqual([second.id, first.id])
    expect(await idsOf(`queue=${queue}&created_before=${first.created_at}`)).toEqual([])
    const between = `created_after=${first.created_at}&created_before=${second.created_at}`
    expect(await idsOf(`queue=${queue}&${between}`)).toEqual([first.id])
    // The timestamp with another offset.
    const offset = encodeURIComponent(second.created_at.replace('Z', '+00:00'))
    expect(await idsOf(`queue=${queue}&created_after=${offset}`)).toEqual([second.id])
  })

  test('pages contain each task once while new tasks are submitted', async () => {
    const queue = 'paging'
    const submitSome = (count: number) =>
      Promise.all(Array.from({ length: count }, () => system.submit('echo', {}, { queue })))
    const tasks = await submitSome(23)
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 100; pages++) {
      const { body } = await get(`/v1/tasks?queue=${queue}&limit=5${cursor && `&cursor=${cursor}`}`)
      const page = body as { data: TaskView[]; next_cursor: string | null }
      seen.push(...page.data.map(({ id }) => id))
      cursor = page.next_cursor
      await submitSome(3)
    }
    expect(seen).toEqual(newestFirst(tasks))
  })

  test('a page with the last task has no next_cursor', async () => {
    const queue = 'last-page'
    const tasks = [await system.submit('echo', {}, { queue }), await system.submit('echo', {}, { queue })]
    const { body } = await get(`/v1/tasks?queue=${queue}&limit=2`)
    expect(body).toMatchObject({ next_cursor: null, data: newestFirst(tasks).map((id) => ({ id })) })
  })
})

/**
 * Sorts the ids of tasks, newest first: ids contain the time of submission and define the order within a
 * millisecond.
 */
function newestFirst(tasks: TaskView[]): string[] {
  return tasks
    .map(({ id }) => id)
    .sort()
    .reverse()
}

/** Submits a task at least a millisecond after the other one. */
async function submitAfter(other: TaskView, queue: string): Promise<TaskView> {
  await until(
    async () => Date.now(),
    (now) => now > Date.parse(other.created_at),
  )
  return system.submit('echo', {}, { queue })
}
