// What holds for every input, not only for those that somebody thought of. A failure prints the seed that repeats it.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { BatchResponse } from '../../src/api/tasks/batch.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { firstIdOf, newId, timeOfId } from '../../src/base/uuidv7.ts'
import { defineTask } from '../../src/definitions/define.ts'
import {
  decide,
  isFinal,
  type Outcome,
  retryDelayMs,
  TASK_STATUSES,
  type TaskStatus,
} from '../../src/definitions/task-status.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const quick = { description: 'for tests', output: z.unknown(), run: async () => null }
const anything = defineTask({
  ...quick,
  name: 'anything',
  title: 'Takes anything',
  input: z.unknown(),
  example: 1,
})
const document = defineTask({
  ...quick,
  name: 'document',
  title: 'Takes what zod calls JSON',
  input: z.json(),
  example: 1,
})
const form = defineTask({
  ...quick,
  name: 'form',
  title: 'Takes two members',
  input: z.object({ text: z.string(), more: z.unknown().optional() }),
  example: { text: 'a' },
})

let system: TestSystem
beforeAll(async () => {
  // Nobody works: what is submitted stays as it is.
  system = await startSystem({ definitions: [anything, document, form], worker: false })
})
afterAll(() => system.stop())

// Where JavaScript, JSON and Postgres think differently of texts, names and numbers.
const TEXTS = [
  '',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\u2028',
  '\ufeff',
  '"\\',
  '\u{1f41d}',
  "';--",
  '{a,b}',
]
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toJSON',
  'hasOwnProperty',
  'length',
  '',
  '0',
  '10',
  '9',
]
const NUMBERS = ['0', '-0', '1e21', '1.0', '1E+2', '0.1', '5e-324', '9007199254740992', '1e308', '-1e25']

const jsonText = fc.letrec<{ value: string; text: string; name: string }>((tie) => ({
  text: fc
    .oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 20 }))
    .map((text) => JSON.stringify(text)),
  name: fc.oneof(
    fc.constantFrom(...NAMES).map((name) => JSON.stringify(name)),
    tie('text'),
  ),
  value: fc.oneof(
    { maxDepth: 4 },
    tie('text'),
    fc.constantFrom('null', 'true', 'false', ...NUMBERS),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(' , ')}]`),
    // Names may come twice: the last one counts, at the place of the first.
    fc
      .array(fc.tuple(tie('name'), tie('value')), { maxLength: 4 })
      .map((members) => `{ ${members.map(([name, value]) => `${name} : ${value}`).join(', ')} }`),
  ),
})).value

/** The promise: what comes back is your body as JSON.parse reads it, written as JSON.stringify writes it. */
const promised = (text: string) => JSON.stringify(JSON.parse(text))

describe('what goes in as input comes back', () => {
  test('byte for byte, where the definition takes anything', async () => {
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        expect(await inputsOf('anything', text)).toEqual([promised(text), promised(text)])
      }),
      { numRuns: 150 },
    )
  })

  test('also with a key, and to whoever sends it again', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        const headers = { 'Idempotency-Key': `input-${run++}` }
        const [first] = await inputsOf('anything', text, headers)
        const [again] = await inputsOf('anything', text, headers)
        expect([first, again]).toEqual([promised(text), promised(text)])
      }),
      { numRuns: 60 },
    )
  })

  test('digit by digit, or is refused where it stands', async () => {
    const digits = (least: number, most: number) =>
      fc.stringMatching(new RegExp(`^[1-9]\\d{${least - 1},${most - 1}}$`), { size: 'max' })
    const number = fc.oneof(
      digits(1, 24),
      digits(14, 18).map((text) => `-${text}`),
      fc.tuple(digits(1, 18), digits(1, 3)).map(([mantissa, exponent]) => `${mantissa}e${exponent}`),
    )
    let keptCount = 0
    let refusedCount = 0
    await fc.assert(
      fc.asyncProperty(number, async (text) => {
        const body = `{"input":{"id":[${text}]}}`
        const { status, answer } = await submitText('anything', body)
        if (status === 202) {
          keptCount++
          const kept: string = /"id":\[(.*?)\]/.exec(answer)?.[1] ?? ''
          expect(BigInt(whole(kept))).toBe(BigInt(whole(text)))
        } else {
          refusedCount++
          expect(JSON.parse(answer)).toMatchObject({ status: 422, errors: [{ pointer: '#/input/id/0' }] })
          expect(
            Number.isFinite(Number(text)) && BigInt(whole(text)) === BigInt(whole(String(Number(text)))),
          ).toBe(false)
        }
      }),
      { numRuns: 150 },
    )
    expect(Math.min(keptCount, refusedCount)).toBeGreaterThan(10)
  })

  test('byte for byte but for members named __proto__, where the definition takes z.json()', async () => {
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        // zod leaves them out of every record.
        const bare = JSON.parse(text, (_name, value) => {
          if (typeof value === 'object' && value !== null) delete value['__proto__' as never]
          return value
        })
        const expected = JSON.stringify(bare)
        expect(await inputsOf('document', text)).toEqual([expected, expected])
      }),
      { numRuns: 60 },
    )
  })

  test('with the members that the definition knows, in its order, where it is a z.object()', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TEXTS), jsonText, async (given, more) => {
        const text = JSON.stringify(given)
        const expected = `{"text":${text},"more":${promised(more)}}`
        expect(await inputsOf('form', `{"unknown":${more},"more":${more},"text":${text}}`)).toEqual([
          expected,
          expected,
        ])
      }),
      { numRuns: 40 },
    )
  })
})

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
  // Always the same hundred; what varies is what is asked of them.
  const stored: Stored[] = fc
    .sample(
      fc.record({
        name: fc.constantFrom('anything', 'document', 'form'),
        queue: fc.constantFrom(...QUEUES),
        tags: fc.uniqueArray(fc.constantFrom(...TAGS), { maxLength: 3 }),
        // Few milliseconds for many tasks: some are of the same moment.
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
        // As they come to be: what has ended has a time, what ended badly its reason.
        sql`update tasks set status = ${status}, worker_id = ${workerId},
              finished_at = case when ${isFinal(status)} then now() end,
              error = case when ${status} = 'FAILURE' then '{}'::json end,
              cancel_requested_at = case when ${status} = 'CANCELLED' then now() end where id = ${id}`,
      )
    }
  })

  const moment = fc.integer({ min: FIRST_MS - 2, max: LAST_MS + 2 }).map((ms) => new Date(ms).toISOString())
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
      created_after: moment,
      created_before: moment,
    },
    // Only the tasks of these tests were made at that time.
    { requiredKeys: [] },
  )

  test('returns exactly the tasks that the filters name', async () => {
    await fc.assert(
      fc.asyncProperty(filters, async (filter) => {
        expect((await list({ ...filter, limit: '200' })).ids).toEqual(modelOf(filter))
      }),
      { numRuns: 200 },
    )
  })

  test('in pages of any size is the whole list, every task once', async () => {
    await fc.assert(
      fc.asyncProperty(filters, fc.integer({ min: 1, max: 60 }), async (filter, limit) => {
        const seen: string[] = []
        let cursor: string | null = null
        do {
          const page = await list({ ...filter, limit: String(limit), ...(cursor && { cursor }) })
          expect(page.ids.length).toBeLessThanOrEqual(limit)
          seen.push(...page.ids)
          // A list that never ends is to fail, and not to hang.
          expect(seen.length).toBeLessThanOrEqual(stored.length)
          cursor = page.next
        } while (cursor)
        expect(seen).toEqual(modelOf(filter))
      }),
      { numRuns: 30 },
    )
  })

  /** Newest first. */
  function modelOf(filter: Partial<Record<string, string>>): string[] {
    const hasPassed = (task: Stored) =>
      (filter.status?.split(',').includes(task.status) ?? true) &&
      (filter.name === undefined || task.name === filter.name) &&
      (filter.queue === undefined || task.queue === filter.queue) &&
      (filter.tag === undefined || task.tags.includes(filter.tag)) &&
      (filter.worker === undefined || task.workerId === filter.worker) &&
      (filter.id === undefined || task.id.startsWith(filter.id.toLowerCase())) &&
      (filter.created_after === undefined || task.createdAt >= new Date(filter.created_after)) &&
      (filter.created_before === undefined || task.createdAt < new Date(filter.created_before))
    return stored
      .filter(hasPassed)
      .map(({ id }) => id)
      .sort()
      .reverse()
  }

  async function list(search: Record<string, string>): Promise<{ ids: string[]; next: string | null }> {
    // Other tests of this file submit too, and later than any of these.
    const bounds = { created_before: new Date(LAST_MS + 10).toISOString(), ...search }
    const { status, body } = await system.request('GET', `/v1/tasks?${new URLSearchParams(bounds)}`)
    expect(status).toBe(200)
    const { data, next_cursor } = body as { data: TaskView[]; next_cursor: string | null }
    return { ids: data.map(({ id }) => id), next: next_cursor }
  }
})

describe('a batch', () => {
  const item = fc.oneof(
    fc.record(
      {
        name: fc.constantFrom('anything', 'form', 'divide', 'unheard_of'),
        input: fc.constantFrom<unknown>(1, null, {}, { text: 'a' }, { text: 1 }, { x: 1, y: '2' }, [[[]]]),
        options: fc.constantFrom<unknown>(
          {},
          { tags: ['a'] },
          { tags: [1, '\ud800'] },
          { queue: '../../' },
          { delay_seconds: 1, run_at: '2030-01-01T00:00:00Z' },
          { '\ud800': 1 },
          7,
        ),
        more: fc.constant(1),
      },
      { requiredKeys: ['name'] },
    ),
    fc.constantFrom<unknown>(null, 7, 'text', [], {}, { name: 7, input: 1 }),
  )

  test('gives every item the answer that it would get alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), async (tasks) => {
        const { status, body } = await system.request('POST', '/v1/tasks/batch', { tasks })
        expect(status).toBe(202)
        const { accepted, rejected, items } = body as BatchResponse
        expect(accepted + rejected).toBe(tasks.length)
        expect(items.map(({ index }) => index)).toEqual(tasks.map((_, index) => index))
        expect(items.filter((answer) => 'id' in answer)).toHaveLength(accepted)
        for (const [index, answer] of items.entries()) {
          const alone = await answerAlone(tasks[index])
          if (alone.status === 202) expect(answer).toHaveProperty('id')
          else expect(answer).toMatchObject({ index, problem: {} })
          // Alone the name is in the path and is looked at first.
          if (!('problem' in answer) || alone.status === 404 || alone.status === 0) continue
          const { type, errors } = answer.problem
          const pointers = errors?.map(({ pointer }) => pointer.replace(`#/tasks/${index}`, '#'))
          expect({ status: answer.problem.status, type, pointers }).toEqual(alone)
        }
      }),
      { numRuns: 40 },
    )
  })

  /** Status 0 where an item cannot be sent alone. */
  async function answerAlone(task: unknown) {
    if (typeof task !== 'object' || task === null || !('name' in task) || typeof task.name !== 'string')
      return { status: 0 }
    const { name, ...submission } = task
    const { status, body } = await system.request('POST', `/v1/tasks/${name}`, submission)
    const { type, errors } = body as { type: string; errors?: { pointer: string }[] }
    return { status, type, pointers: errors?.map(({ pointer }) => pointer) }
  }
})

describe('an Idempotency-Key', () => {
  let run = 0
  // The same content in another order of members is the same body.
  const bodies = [
    '{"input":{"a":1,"b":["\\ud800",1e99]},"options":{"tags":["x"]}}',
    '{"options":{"tags":["x"]},"input":{"b":["\\ud800",1e99],"a":1}}',
    '{"input":{"a":2,"b":["\\ud800",1e99]},"options":{"tags":["x"]}}',
    '{"input":{"__proto__":{"a":1}}}',
    '{"input":{}}',
  ]
  const contentOf = (body: string) => (body === bodies[1] ? bodies[0] : body)
  const submissions = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...bodies)), {
    minLength: 1,
    maxLength: 8,
  })

  test('makes one task, and refuses exactly those that bring another body', async () => {
    await fc.assert(
      fc.asyncProperty(submissions, async (sequence) => {
        run++
        const first = new Map<string, { id: string; body: string }>()
        for (const [key, body] of sequence) {
          const answer = await submitOnce(`${run}-${key}`, body)
          const known = first.get(key)
          const isSame = known === undefined || contentOf(known.body) === contentOf(body)
          expect(answer.status).toBe(isSame ? 202 : 422)
          if (!isSame) continue
          expect(answer.isReplayed).toBe(known !== undefined)
          if (known) expect(answer.id).toBe(known.id)
          else first.set(key, { id: answer.id, body })
        }
        expect(new Set([...first.values()].map(({ id }) => id)).size).toBe(first.size)
        expect(await countOf(run)).toBe(first.size)
      }),
      { numRuns: 30 },
    )
  })

  test('makes one task also of those that come at once', async () => {
    await fc.assert(
      fc.asyncProperty(submissions, async (together) => {
        run++
        const answers = await Promise.all(
          together.map(async ([key, body]) => ({ key, ...(await submitOnce(`${run}-${key}`, body)) })),
        )
        for (const { status } of answers) expect([202, 409, 422]).toContain(status)
        const accepted = answers.filter(({ status }) => status === 202)
        const keys = new Set(together.map(([key]) => key))
        expect(new Set(accepted.map(({ key }) => key))).toEqual(keys)
        expect(new Set(accepted.map(({ id }) => id)).size).toBe(keys.size)
        expect(accepted.filter(({ isReplayed }) => !isReplayed)).toHaveLength(keys.size)
        expect(await countOf(run)).toBe(keys.size)
      }),
      { numRuns: 30 },
    )
  })

  async function submitOnce(key: string, body: string) {
    const response = await fetch(`${system.url}/v1/tasks/anything`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key, 'X-Request-Id': `once-${run}` },
      body,
    })
    const { id } = (await response.json()) as { id: string }
    return { status: response.status, id, isReplayed: response.headers.get('Idempotent-Replayed') === 'true' }
  }

  async function countOf(which: number): Promise<number> {
    const [row] = await system.connections.database.query<{ count: number }>(
      sql`select count(*)::int as count from tasks where request_id = ${`once-${which}`}`,
    )
    return row?.count ?? 0
  }
})

test('the last ETag of a task is answered 304 as long as nothing changes, and no longer', async () => {
  const actions = fc.array(fc.constantFrom('look', 'cancel', 'retry'), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(actions, async (sequence) => {
      const { id } = await system.submit('anything', 1)
      let tag = (await system.request('GET', `/v1/tasks/${id}`)).headers.get('ETag') ?? ''
      let status = 'PENDING'
      for (const action of sequence) {
        if (action !== 'look') await system.request('POST', `/v1/tasks/${id}/${action}`)
        const next = { look: status, cancel: 'CANCELLED', retry: 'PENDING' }[action] ?? status
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

describe('an id', () => {
  const timestamps = fc.integer({ min: 0, max: 2 ** 48 - 2 })

  test('tells its moment, and lies between the first id of it and of the next', () => {
    fc.assert(
      fc.property(timestamps, (atMs) => {
        const id = newId(atMs)
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(timeOfId(id)).toBe(atMs)
        expect(id >= firstIdOf(atMs) && id < firstIdOf(atMs + 1)).toBe(true)
      }),
    )
  })
})

describe('the decisions about attempts', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const backoff = fc
    .tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 3_600_000 }))
    .map(([baseMs, more]) => ({ baseMs, capMs: baseMs + more }))
  const failures = fc.integer({ min: 1, max: 5_000 })

  test('pauses stay between nothing and the cap, and never shrink before they reach it', () => {
    fc.assert(
      fc.property(backoff, failures, chance, chance, (policy, count, one, other) => {
        const pauseMs = retryDelayMs(policy, count, one)
        const nextMs = retryDelayMs(policy, count + 1, other)
        expect(Number.isInteger(pauseMs) && pauseMs >= 0 && pauseMs <= policy.capMs).toBe(true)
        if (policy.baseMs * 2 ** count <= policy.capMs) expect(nextMs).toBeGreaterThanOrEqual(pauseMs)
      }),
    )
  })

  test('the budget is never exceeded, success is never lost, and only what waits has a pause', () => {
    const error = fc.record({
      name: fc.string(),
      message: fc.string(),
      retryable: fc.boolean(),
    })
    const outcome: fc.Arbitrary<Outcome> = fc.oneof(
      fc.record({ kind: fc.constant('succeeded' as const), result: fc.jsonValue() }),
      fc.record({ kind: fc.constant('failed' as const), error }),
      fc.record({ kind: fc.constant('cancelled' as const) }),
      fc.record({ kind: fc.constant('released' as const) }),
    )
    const task = fc.record({
      failures: fc.nat(20),
      maxRetries: fc.nat(20),
      backoff,
      isCancelRequested: fc.boolean(),
    })
    fc.assert(
      fc.property(task, outcome, chance, (before, end, random) => {
        const after = decide(before, end, random)
        expect(after.failures - before.failures).toBe(end.kind === 'failed' ? 1 : 0)
        expect(after.delayMs !== undefined).toBe(['PENDING', 'RETRY'].includes(after.status))
        expect(after.status === 'SUCCESS').toBe(end.kind === 'succeeded')
        if (after.status === 'RETRY') expect(after.failures).toBeLessThanOrEqual(before.maxRetries)
        if (before.isCancelRequested) expect(['SUCCESS', 'CANCELLED']).toContain(after.status)
        if (end.kind === 'failed') expect(after.error).toEqual(end.error)
      }),
      { numRuns: 500 },
    )
  })
})

/** A number without an exponent and without a fraction. */
function whole(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [integer = '', fraction = ''] = mantissa.split('.')
  return `${integer}${fraction}${'0'.repeat(Number(exponent) - fraction.length)}`
}

async function submitText(name: string, body: string) {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${system.url}/v1/tasks/${name}`, { method: 'POST', headers, body })
  return { status: response.status, answer: await response.text() }
}

/** The input in the answer to the submission, and in that to a later look, as the texts that they are. */
async function inputsOf(
  name: string,
  input: string,
  headers: Record<string, string> = {},
): Promise<(string | undefined)[]> {
  const submitted = await fetch(`${system.url}/v1/tasks/${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: `{"input":${input}}`,
  })
  const first = await submitted.text()
  expect(submitted.status, first).toBe(202)
  const read = await fetch(`${system.url}${submitted.headers.get('Location')}`)
  return [first, await read.text()].map(
    (text) => /"status":"PENDING","input":(.*),"result":null,"error":null,"progress"/s.exec(text)?.[1],
  )
}
