// Search: tasks are found by text and by members of their input, at a cost that does not grow with the number
// of tasks.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const freeForm = defineTask({
  name: 'free_form',
  title: 'Accepts any input',
  description: 'for tests',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async () => null,
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [freeForm] })
})
afterAll(() => system.stop())

interface Page {
  data: TaskView[]
  next_cursor: string | null
}

async function list(filter: Record<string, string>): Promise<Page> {
  const { status, body } = await system.request('GET', `/v1/tasks?${new URLSearchParams(filter)}`)
  if (status !== 200) throw new Error(`Status ${status}: ${JSON.stringify(body)}`)
  return body
}

const idsOf = ({ data }: Page) => data.map(({ id }) => id)

describe('a text is found', () => {
  test('in input, result, error, tags and name, in any case', async () => {
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

  test.each(['100 %', 'under_score', "quote'"])('with %j as it is, without wildcards', async (text) => {
    const task = await system.submit('reverse', { text })
    await system.submit('reverse', { text: '100 x, underXscore, quoteX' })
    expect(idsOf(await list({ q: text }))).toEqual([task.id])
  })

  test.each(['', '%00', 'a%0Ab', 'x'.repeat(201)])(
    'unless it is invalid, which gets 400: %j',
    async (query) => {
      expect((await system.request('GET', `/v1/tasks?q=${query}`)).status).toBe(400)
    },
  )
})

describe('a member of the input is found', () => {
  const taskWith = (input: object) => system.submit('free_form', input)

  test('by its path and its value; numbers and booleans are written as in JSON', async () => {
    const matching = await taskWith({
      to: { address: 'a@b.c', parts: [1.5, true, 'last words'] },
      lines: 'x\ny',
    })
    await taskWith({ to: { address: 'a@b.cc', parts: [15, false, 'first words'] } })
    await taskWith({ to: 'a@b.c' })
    for (const [name, value] of [
      ['input.to.address', 'a@b.c'],
      ['input.to.parts.0', '1.5'],
      ['input.to.parts.1', 'true'],
      ['input.to.parts.2', 'last words'],
      ['input.lines', 'x\ny'],
    ] as const) {
      expect(idsOf(await list({ [name]: value })), name).toEqual([matching.id])
    }
    expect(idsOf(await list({ 'input.to.address': 'a@b.c', 'input.to.parts.0': '15' }))).toEqual([])
    expect(idsOf(await list({ 'input.to.address.0': 'a' }))).toEqual([])
  })

  test('also when the input contains characters that Postgres cannot store as text', async () => {
    const mark = `mark-${Math.random()}`
    const nul = await taskWith({ mark, text: 'a\0b', path: 'C:\\u0000' })
    const half = await taskWith({ mark, text: 'a\ud83d', 'half \udc00': [] })
    expect(idsOf(await list({ 'input.mark': mark }))).toEqual([half.id, nul.id])
    expect(idsOf(await list({ 'input.mark': mark, 'input.text': 'a\ufffdb' }))).toEqual([nul.id])
    expect(idsOf(await list({ 'input.mark': mark, 'input.text': 'a\ufffd' }))).toEqual([half.id])
  })

  test.each([
    ['input.', 'x'],
    ['input.a..b', 'x'],
    ['input.a%00', 'x'],
    ['input.a', '%00'],
    ['input.a', 'x'.repeat(1_001)],
    ['input.a', 'x&input.a=y'],
    [`input${'.a'.repeat(11)}`, 'x'],
    ['input.f', '1&input.a=1&input.b=1&input.c=1&input.d=1&input.e=1'],
    ['input', 'x'],
    ['inputs', 'x'],
    ['__proto__', 'x'],
  ])('unless the parameter is invalid, which gets 400 with its name: ?%s=%s', async (name, value) => {
    const { status, body } = await system.request('GET', `/v1/tasks?${name}=${value}`)
    expect([status, (body as { detail: string }).detail]).toEqual([
      400,
      expect.stringContaining(`Query parameter "${decodeURIComponent(name).slice(0, 5)}`),
    ])
  })
})

describe('several values', () => {
  test('of name, queue, worker and status match tasks with any of them', async () => {
    const tag = 'several'
    const a = await system.submit('reverse', { text: 'a' }, { tags: [tag], queue: 'left' })
    const b = await system.submit('sentiment', { text: 'b' }, { tags: [tag], queue: 'right' })
    const c = await system.submit('free_form', {}, { tags: [tag], queue: 'middle' })
    const two = [b.id, a.id]
    expect(idsOf(await list({ tag, name: 'reverse,sentiment' }))).toEqual(two)
    expect(idsOf(await list({ tag, queue: 'left,right' }))).toEqual(two)
    expect(idsOf(await list({ tag, status: 'PENDING,SUCCESS,RETRY' }))).toEqual([c.id, ...two])
    const worker = '00000000-0000-4000-8000-000000000000'
    expect(idsOf(await list({ tag, worker: `${worker},${worker}` }))).toEqual([])
    expect((await system.request('GET', '/v1/tasks?name=a,,b')).status).toBe(400)
    expect(
      (await system.request('GET', `/v1/tasks?name=${Array.from({ length: 51 }, (_, n) => `a${n}`)}`)).status,
    ).toBe(400)
  })
})

describe('a compact list', () => {
  test('contains the beginning of input and result, cut between characters', async () => {
    const text = '🐝'.repeat(300)
    const task = await system.submit('reverse', { text }, { tags: ['compact'] })
    await system.taskWhenFinal(task.id)
    const { data } = await list({ tag: 'compact', compact: 'true' })
    expect(data).toHaveLength(1)
    expect(data[0]).not.toHaveProperty('input')
    expect(data[0]).not.toHaveProperty('result')
    expect(data[0]).toMatchObject({
      id: task.id,
      status: 'SUCCESS',
      input_excerpt: [...`{"text":"${text}`].slice(0, 200).join(''),
    })
    const waiting = await system.submit('reverse', { text: 'a' }, { tags: ['compact'], queue: 'unserved' })
    expect((await list({ id: waiting.id, compact: 'true' })).data).toMatchObject([
      { input_excerpt: '{"text":"a"}', result_excerpt: null },
    ])
    expect((await list({ id: waiting.id, compact: 'false' })).data).toMatchObject([{ input: { text: 'a' } }])
  })
})

test('if few of many tasks match, pages are short, and their cursors lead to all matching tasks', async () => {
  const own = await startSystem({ worker: false })
  const { database } = own.connections
  // 25,000 rows, of which every 6,000th matches. The ids are in the order of the numbers.
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
    if (pages > 15) throw new Error('The pages do not end')
  }
  expect(found.map((id) => Number.parseInt(id.slice(-12), 16))).toEqual([24_000, 18_000, 12_000, 6_000])
  expect(pages).toBe(9)
  // Without a filter a page is full.
  expect((await read('limit=200')).body.data).toHaveLength(200)
  await own.stop()
})
