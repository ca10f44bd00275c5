// The recipe of docs/recipes/flaky-api.md, against a server that fails, throttles, hangs and closes connections.
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { PermanentError, RetryLaterError, type TaskDefinition } from 'waggle-tasks'
import { runTask } from 'waggle-tasks/testing'
import { chargeCard } from '../../docs/recipes/charge-card.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { mostWithin } from '../support/sliding-window.ts'
import { type FullTask, startSystem, type TestSystem } from '../support/system.ts'

/** What the payment API does with the requests of an order, one after the other. Then it charges. */
type Step = (response: ServerResponse, charge: () => void) => void
const steps = new Map<string, Step[]>()
/** Charges by idempotency key. */
const charges = new Map<string, string>()

let api: TestServer
let system: TestSystem
beforeAll(async () => {
  api = await startTestServer(({ headers, body }, response) => {
    const { order } = JSON.parse(body) as { order: string }
    const key = String(headers['idempotency-key'])
    const charge = () => charges.set(key, charges.get(key) ?? `ch-${charges.size + 1}`)
    const step = steps.get(order)?.shift()
    if (step) return step(response, charge)
    charge()
    response.end(JSON.stringify({ charge: charges.get(key) }))
  })
  const definition = { ...chargeCard, backoff: { baseMs: 20, capMs: 50 } }
  system = await startSystem({ definitions: [definition as TaskDefinition] })
})
afterAll(async () => {
  await system.stop()
  await api.stop()
})
beforeEach(() => {
  steps.clear()
  charges.clear()
  api.received.length = 0
})

const inputOf = (order: string) => ({ order, cents: 1_999, url: `${api.url}/charges` })

async function run(order: string, options: object = {}): Promise<FullTask> {
  const { id } = await system.submit('charge_card', inputOf(order), options)
  return system.taskWhenFinal(id)
}

const respond =
  (status: number, headers: Record<string, string> = {}): Step =>
  (response) =>
    response.writeHead(status, headers).end('as a test requires')

test('5xx, throttling, closed connections and hanging requests are retried with the same key, and charge once', async () => {
  steps.set('o-1', [
    respond(500),
    respond(503),
    respond(429),
    (response) => response.socket?.destroy(),
    // The API charges the card, and its response never arrives.
    (_, charge) => charge(),
    respond(409),
    (response) => response.writeHead(200).end('not JSON'),
  ])
  const task = await run('o-1', { timeout_seconds: 1 })
  expect(task).toMatchObject({ status: 'SUCCESS', result: { charge: 'ch-1' }, failures: 7 })
  expect([...charges.keys()]).toEqual([task.id])
  expect(api.received.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(8).fill(task.id))
  expect(task.attempts.map(({ error }) => error?.message)).toEqual([
    'The payment API responded with 500: as a test requires',
    'The payment API responded with 503: as a test requires',
    'The payment API responded with 429: as a test requires',
    'fetch failed: UND_ERR_SOCKET',
    'Timed out: an attempt may take 1 s',
    'The payment API responded with 409: as a test requires',
    expect.stringContaining('not valid JSON'),
  ])
})

test.each([400, 401, 402, 404, 422])('%i is not retried', async (status) => {
  steps.set('o-2', [respond(status)])
  const error = { name: 'PermanentError', message: expect.stringContaining(`${status}`), retryable: false }
  expect(await run('o-2')).toMatchObject({ status: 'FAILURE', failures: 1, error })
  expect(api.received).toHaveLength(1)
})

test('the last failure is that of the task when no retry is left', async () => {
  steps.set('o-3', Array(9).fill(respond(502)))
  expect(await run('o-3')).toMatchObject({ status: 'FAILURE', failures: 9 })
  expect(api.received).toHaveLength(9)
})

test.each<[kind: string, header: string, fromMs: number, toMs: number]>([
  ['in seconds', '120', 120_000, 120_000],
  ['as a date', new Date(Date.now() + 3_600_000).toUTCString(), 3_000_000, 3_600_000],
  ['that is too long', '99999999', 86_400_000, 86_400_000],
])('Retry-After %s delays the next attempt', async (_, header, fromMs, toMs) => {
  for (const status of [429, 503]) {
    steps.set('o-4', [respond(status, { 'Retry-After': header })])
    const error = await runTask(chargeCard, inputOf('o-4')).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(RetryLaterError)
    expect(error.delayMs).toBeGreaterThanOrEqual(fromMs)
    expect(error.delayMs).toBeLessThanOrEqual(toMs)
  }
})

test.each([undefined, '', '0', '-5', 'soon', 'Wed, 21 Oct 2015 07:28:00 GMT'])(
  'Retry-After %s leaves the delay to the backoff',
  async (header) => {
    steps.set('o-5', [respond(503, header === undefined ? {} : { 'Retry-After': header })])
    const error = await runTask(chargeCard, inputOf('o-5')).catch((thrown) => thrown)
    expect(error.message).toBe('The payment API responded with 503: as a test requires')
    expect(error).not.toBeInstanceOf(RetryLaterError)
    expect(error).not.toBeInstanceOf(PermanentError)
  },
)

test('a cancellation aborts the request', async () => {
  const closed = new Promise((resolve) => {
    steps.set('o-6', [(response) => response.once('close', resolve)])
  })
  const { id } = await system.submit('charge_card', inputOf('o-6'))
  await expect.poll(() => api.received).toHaveLength(1)
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await closed
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'CANCELLED', attempt: 1 })
})

test('at most ten attempts start in any second, retries included', async () => {
  const orders = Array.from({ length: 12 }, (_, index) => `many-${index}`)
  for (const order of orders) steps.set(order, [respond(503)])
  const tasks = await Promise.all(orders.map((order) => run(order)))
  const starts = tasks.flatMap((task) =>
    [task, ...task.attempts].map((each) => Date.parse(`${each.started_at}`)),
  )
  expect(starts).toHaveLength(24)
  expect(mostWithin(starts, 1_000)).toBeLessThanOrEqual(10)
})
