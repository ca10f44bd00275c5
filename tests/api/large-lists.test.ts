// Lists of tasks with large inputs and results: pages are limited in bytes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const MIB = 1024 * 1024

interface Page {
  data: TaskView[]
  next_cursor: string | null
}

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false })
})
afterAll(() => system.stop())
beforeEach(() => system.connections.database.query(sql`delete from tasks`))

// Postgres stores a value that it can compress with a hundredth of its size.
const COMPRESSIBLE = sql`repeat('x', 1000000)`
const INCOMPRESSIBLE = sql`(select string_agg(md5(id::text || part), '') from generate_series(1, 31250) as part)`

describe.each([
  ['can compress', COMPRESSIBLE],
  ['cannot compress', INCOMPRESSIBLE],
])('results of 1 MB that Postgres %s', (_what, text) => {
  test('a page ends before its limit, and the pages contain each task once', async () => {
    const ids = await submitMany(12)
    await system.connections.database.query(sql`update tasks set result = to_json(${text})`)
    const pages = await readAll('limit=200')
    expect(pages.flatMap(({ data }) => data.map(({ id }) => id))).toEqual(ids)
    expect(pages.map(({ data }) => data.length)).toEqual([5, 5, 2])
  })

  test('a compact page contains excerpts of all of them', async () => {
    const ids = await submitMany(12)
    await system.connections.database.query(sql`update tasks set result = to_json(${text})`)
    const [page, ...others] = await readAll('limit=200&compact=true')
    expect(page?.data.map(({ id }) => id)).toEqual(ids)
    expect(others).toEqual([])
  })
})

test('a page has at least one task, however large it is', async () => {
  const ids = await submitMany(3)
  await system.connections.database.query(sql`update tasks set input = to_json(repeat('x', ${6 * MIB}::int))`)
  const pages = await readAll('limit=2&status=PENDING')
  expect(pages.map(({ data }) => data.map(({ id }) => id))).toEqual(ids.map((id) => [id]))
})

test('a page that its last task fills has no next_cursor', async () => {
  const ids = await submitMany(1)
  await system.connections.database.query(sql`update tasks set input = to_json(repeat('x', ${6 * MIB}::int))`)
  const [page] = await readAll('limit=2')
  expect(page?.data.map(({ id }) => id)).toEqual(ids)
  expect(page?.next_cursor).toBeNull()
})

/** Returns the ids, newest first. */
async function submitMany(count: number): Promise<string[]> {
  const tasks = await Promise.all(
    Array.from({ length: count }, () => system.submit('reverse', { text: 'a' })),
  )
  return tasks
    .map(({ id }) => id)
    .sort()
    .reverse()
}

async function readAll(query: string): Promise<Page[]> {
  const pages: Page[] = []
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? '' : `&cursor=${cursor}`
    const { status, body } = await system.request('GET', `/v1/tasks?${query}${more}`)
    expect(status).toBe(200)
    pages.push(body)
    cursor = pages.at(-1)?.next_cursor ?? null
  } while (cursor !== null && pages.length < 50)
  return pages
}
