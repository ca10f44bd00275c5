// Finding tasks by what is in them, at a cost that does not depend on how many there are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskView } from '../src/api/task-view.ts'
import { sql } from '../src/store/drizzle.ts'
import { startSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

interface Page {
  data: TaskView[]
  next_cursor: string | null
}

async function list(filter: Record<string, string>): Promise<Page> {
  const { status, body } = await system.request('GET', `/v1/tasks?${new URLSearchParams(filter)}`)
  if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
  return body
}

const idsOf = ({ data }: Page) => data.map(({ id }) => id)

describe('a text is found', () => {
  test('in input, result, error, tags and name, whatever its case', async () => {
    const task = await system.submit('reverse', { text: 'Quokka' }, { tags: ['night-shift'] })
    const failed = await system.submit('divide', { x: 7, y: 0 }, { tags: ['night-shift'] })
    await Promise.all([task, failed].map(({ id }) => system.taskWhenFinal(id)))
    expect(idsOf(await list({ q: 'quOKKa' }))).toEqual([task.id])
    expect(idsOf(await list({ q: 'akkouq' }))).toEqual([task.id])
    expect(idsOf(await list({ q: 'y must not be 0' }))).toEqual([failed.id])
    expect(idsOf(await list({ q: 'night-SHIFT' }))).toEqual([failed.id, task.id])
    expect(idsOf(await list({ q: 'divid', tag: 'night-shift' }))).toEqual([failed.id])
    expect(idsOf(await list({ q: 'quokka', status: 'FAILURE' }))).toEqual([])
  })

  test.each(['100 %', 'under_score', "quote'"])(
    'with %j in it, and not what it could stand for',
    async (text) => {
      const task = await system.submit('reverse', { text })
      await system.submit('reverse', { text: '100 x, underXscore, quoteX' })
      expect(idsOf(await list({ q: text }))).toEqual([task.id])
    },
  )

  test.each(['', '%00', 'a%0Ab', 'x'.repeat(201)])('but %j is no text to look for', async (query) => {
    expect((await system.request('GET', `/v1/tasks?q=${query}`)).status).toBe(400)
  })
})

test('where few of very many match, a page is short and leads on, and nothing is missed', async () => {
  const own = await startSystem({ worker: false })
  const { database } = own.connections
  // 25,000 rows, of which every 6,000th is to be found: ids in the order of their numbers.
  await database.query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
    select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'reverse', 'q', 'PENDING',
           json_build_object('text', case when n % 6000 = 0 then 'needle' else 'hay' end), 3, 1000, now(), now()
    from generate_series(1, 25000) as n`)
  const read = async (query: string) => (await own.request('GET', `/v1/tasks?${query}`)) as { body: Page }
  const found: string[] = []
  let pages = 0
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const { body } = await read(`q=needle${cursor && `&cursor=${cursor}`}`)
    found.push(...idsOf(body))
    cursor = body.next_cursor
    if (pages > 5) throw new Error('it does not come to an end')
  }
  expect(found.map((id) => Number.parseInt(id.slice(-12), 16))).toEqual([24_000, 18_000, 12_000, 6_000])
  expect(pages).toBe(3)
  // Without a filter a page is full, and no row is read beyond it.
  expect((await read('limit=200')).body.data).toHaveLength(200)
  await own.stop()
})
