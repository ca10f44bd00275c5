// Random batches and repeated submissions: what is accepted and how many tasks are created. A failure prints
// the seed that reproduces it.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BatchResponse } from '../../src/api/tasks/batch.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { propertyDefinitions } from './support/property-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  // There is no worker, so tasks stay PENDING.
  system = await startSystem({ definitions: propertyDefinitions, worker: false })
})
afterAll(() => system.stop())

describe('a batch', () => {
  const item = fc.oneof(
    fc.record(
      {
        name: fc.constantFrom('anything', 'form', 'divide', 'unknown'),
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

  test('gives each task the response that it would get from a separate submission', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), async (tasks) => {
        const { status, body } = await system.request('POST', '/v1/tasks/batch', { tasks })
        expect(status).toBe(202)
        const { accepted, rejected, items } = body as BatchResponse
        expect(accepted + rejected).toBe(tasks.length)
        expect(items.map(({ index }) => index)).toEqual(tasks.map((_, index) => index))
        expect(items.filter((item) => 'id' in item)).toHaveLength(accepted)
        for (const [index, item] of items.entries()) {
          const alone = await submitAlone(tasks[index])
          if (alone.status === 202) expect(item).toHaveProperty('id')
          else expect(item).toMatchObject({ index, problem: {} })
          // A separate submission has the name in its path, which is checked before the body.
          if (!('problem' in item) || alone.status === 404 || alone.status === 0) continue
          const { type, errors } = item.problem
          const pointers = errors?.map(({ pointer }) => pointer.replace(`#/tasks/${index}`, '#'))
          expect({ status: item.problem.status, type, pointers }).toEqual(alone)
        }
      }),
      { numRuns: 40 },
    )
  })

  /** Submits one task separately. Returns the status 0 if the item has no name for the path. */
  async function submitAlone(task: unknown) {
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
  // The first two bodies differ only in the order of their members and count as the same body.
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

  test('creates one task, and a request is rejected only if its body differs', async () => {
    await fc.assert(
      fc.asyncProperty(submissions, async (sequence) => {
        run++
        const first = new Map<string, { id: string; body: string }>()
        for (const [key, body] of sequence) {
          const response = await submitOnce(`${run}-${key}`, body)
          const known = first.get(key)
          const isSame = known === undefined || contentOf(known.body) === contentOf(body)
          expect(response.status).toBe(isSame ? 202 : 422)
          if (!isSame) continue
          expect(response.isReplayed).toBe(known !== undefined)
          if (known) expect(response.id).toBe(known.id)
          else first.set(key, { id: response.id, body })
        }
        expect(new Set([...first.values()].map(({ id }) => id)).size).toBe(first.size)
        expect(await countOf(run)).toBe(first.size)
      }),
      { numRuns: 30 },
    )
  })

  test('creates one task also for concurrent requests', async () => {
    await fc.assert(
      fc.asyncProperty(submissions, async (requests) => {
        run++
        const responses = await Promise.all(
          requests.map(async ([key, body]) => ({ key, ...(await submitOnce(`${run}-${key}`, body)) })),
        )
        for (const { status } of responses) expect([202, 409, 422]).toContain(status)
        const accepted = responses.filter(({ status }) => status === 202)
        const keys = new Set(requests.map(([key]) => key))
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
      sql`select count(*)::int as count from tasks where request_text = ${`once-${which}`}`,
    )
    return row?.count ?? 0
  }
})
