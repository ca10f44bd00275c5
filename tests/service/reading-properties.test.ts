// Random filters, page sizes and changes: lists and ETags. A failure prints the seed that reproduces it.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { isFinal, TASK_STATUSES, type TaskStatus } from '../../src/definitions/task-status.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { propertyDefinitions } from './support/property-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  // There is no worker, so tasks stay PENDING.
  system = await startSystem({ definitions: propertyDefinitions, worker: false })
})
afterAll(() => system.stop())

const QUEUES = ['q-a', 'q-b', 'q-c']
const TAGS = ['a', 'b', 'A', '{a,b}', '"', '\\', 'null', ' ']
const WORKERS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
const FIRST_MS = Date.UTC(2024, 0)
const LAST_MS = FIRST_MS + 50

interface Stored extends NewTask {
  status: TaskStatus
  workerId: string | null
}

describe('a list', () => {
  // The same 100 tasks in every run; only the filters vary.
  const stored: Stored[] = fc
    .sample(
      fc.record({
        name: fc.constantFrom('anything', 'document', 'form'),
        queue: fc.constantFrom(...QUEUES),
        tags: fc.uniqueArray(fc.constantFrom(...TAGS), { maxLength: 3 }),
        // 100 tasks in 51 ms, so that some have the same timestamp.
        createdAt: fc.integer({ min: FIRST_MS, max: LAST_MS }).map((ms) => new Date(ms)),
        status: fc.constantFrom(...TASK_STATUSES),
        workerId: fc.constantFrom(null, ...WORKERS),
      }),
      { numRuns: 100, seed: 1 },
    )
    .map((task) => ({
      ...task,
      id: newId(task.createdAt.getTime()),
      input: null,
      maxRetries: 0,
      timeoutMs: 1_000,
    }))

  beforeAll(async () => {
    await system.connections.taskStore.insertMany(stored)
    for (const { id, status, workerId } of stored) {
      await system.connections.database.query(
        // Also set the columns that the store writes together with each status.
        sql`update tasks set status = ${status}, worker_id = ${workerId},
              finished_at = case when ${isFinal(status)} then now() end,
              error = case when ${status} = 'FAILURE' then '{}'::json end,
              cancel_requested_at = case when ${status} = 'CANCELLED' then now() end where id = ${id}`,
      )
    }
  })

  const timestamp = fc
    .integer({ min: FIRST_MS - 2, max: LAST_MS + 2 })
    .map((ms) => new Date(ms).toISOString())
  const filters = fc.record(
    {
      status: fc.uniqueArray(fc.constantFrom(...TASK_STATUSES), { minLength: 1 }).map(String),
      name: fc.constantFrom('anything', 'document', 'nothing'),
      queue: fc.constantFrom(...QUEUES, 'q'),
      tag: fc.constantFrom(...TAGS, 'z'),
      worker: fc.constantFrom(...WORKERS),
      id: fc
        .tuple(fc.constantFrom(...stored), fc.integer({ min: 1, max: 36 }), fc.boolean())
        .map(([{ id }, length, isUpper]) => (isUpper ? id.toUpperCase() : id).slice(0, length)),
      created_after: timestamp,
      created_before: timestamp,
    },
    // All filters are optional.
    { requiredKeys: [] },
  )

  test('contains exactly the tasks that match its filters', async () => {
    await fc.assert(
      fc.asyncProperty(filters, async (filter) => {
        expect((await list({ ...filter, limit: '200' })).ids).toEqual(expectedIds(filter))
      }),
      { numRuns: 200 },
    )
  })

  test('contains every matching task once over all its pages, whatever the page size', async () => {
    await fc.assert(
      fc.asyncProperty(filters, fc.integer({ min: 1, max: 60 }), async (filter, limit) => {
        const seen: string[] = []
        let cursor: string | null = null
        do {
          const page = await list({ ...filter, limit: String(limit), ...(cursor && { cursor }) })
          expect(page.ids.length).toBeLessThanOrEqual(limit)
          seen.push(...page.ids)
          // Fail instead of looping forever if the pages never end.
          expect(seen.length).toBeLessThanOrEqual(stored.length)
          cursor = page.next
        } while (cursor)
        expect(seen).toEqual(expectedIds(filter))
      }),
      { numRuns: 30 },
    )
  })

  /** Returns the ids of the tasks that match the filter, newest first. */
  function expectedIds(filter: Partial<Record<string, string>>): string[] {
    const isMatch = (task: Stored) =>
      (filter.status?.split(',').includes(task.status) ?? true) &&
      (filter.name === undefined || task.name === filter.name) &&
      (filter.queue === undefined || task.queue === filter.queue) &&
      (filter.tag === undefined || task.tags.includes(filter.tag)) &&
      (filter.worker === undefined || task.workerId === filter.worker) &&
      (filter.id === undefined || task.id.startsWith(filter.id.toLowerCase())) &&
      (filter.created_after === undefined || task.createdAt >= new Date(filter.created_after)) &&
      (filter.created_before === undefined || task.createdAt < new Date(filter.created_before))
    return stored
      .filter(isMatch)
      .map(({ id }) => id)
      .sort()
      .reverse()
  }

  async function list(search: Record<string, string>): Promise<{ ids: string[]; next: string | null }> {
    // Other tests of this file create tasks with later timestamps; exclude those.
    const bounds = { created_before: new Date(LAST_MS + 10).toISOString(), ...search }
    const { status, body } = await system.request('GET', `/v1/tasks?${new URLSearchParams(bounds)}`)
    expect(status).toBe(200)
    const { data, next_cursor } = body as { data: TaskView[]; next_cursor: string | null }
    return { ids: data.map(({ id }) => id), next: next_cursor }
  }
})

test('a request with the latest ETag of a task gets 304 until the task changes', async () => {
  const actions = fc.array(fc.constantFrom('read', 'cancel', 'retry'), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(actions, async (sequence) => {
      const { id } = await system.submit('anything', 1)
      let tag = (await system.request('GET', `/v1/tasks/${id}`)).headers.get('ETag') ?? ''
      let status = 'PENDING'
      for (const action of sequence) {
        if (action !== 'read') await system.request('POST', `/v1/tasks/${id}/${action}`)
        const next = { read: status, cancel: 'CANCELLED', retry: 'PENDING' }[action] ?? status
        const read = await system.request('GET', `/v1/tasks/${id}`, undefined, {
          'If-None-Match': `"x", W/${tag}`,
        })
        expect(read.status).toBe(next === status ? 304 : 200)
        if (read.status === 200) expect(read.headers.get('ETag')).not.toBe(tag)
        else expect(read.headers.get('ETag')).toBe(tag)
        tag = read.headers.get('ETag') ?? ''
        status = next
      }
    }),
    { numRuns: 30 },
  )
})
