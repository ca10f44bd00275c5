// The OpenAPI document compared with the responses of a running system.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import {
  createDocumentChecker,
  type DocumentChecker,
  findOperation,
  operationsOf,
} from '../support/documented.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createUniqueDefinitions } from '../support/unique-definitions.ts'

const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
/** The queue of the worker. Tasks in the queue "default" are never run, so the examples have no effects. */
const SERVED = { queue: 'served' }

/** Documented statuses that these tests cannot cause, with the reason. */
const NOT_CAUSED: Record<string, string> = {
  '401': 'this system has no keys; see openapi-admission.test.ts',
  '403': 'this system has no keys; see openapi-admission.test.ts',
  '429': 'this system has no rate limit; see openapi-admission.test.ts',
  '503': 'Postgres is available; other tests cover outages',
  '504': 'Postgres confirms its statements; see unknown-outcome.test.ts',
  default: 'it documents internal errors',
  'submission 409': 'it needs two concurrent requests with one key',
}

const gated = createGatedTask()
let system: TestSystem
let document: OpenApiDocument
let checker: DocumentChecker
const seen = new Set<string>()

beforeAll(async () => {
  const { definitions } = createUniqueDefinitions()
  system = await startSystem({
    definitions: [gated.definition, ...definitions.filter(({ name }) => name === 'until_finished')],
    worker: { queues: ['served'] },
  })
  document = (await system.request('GET', '/openapi.json')).body
  checker = createDocumentChecker(document)
})
afterAll(() => system.stop())

test('every documented example of a request is accepted, and its response is as documented', async () => {
  const { id } = await finishedTask()
  for (const { operation, path } of operationsOf(document)) {
    for (const [mediaType, { examples }] of Object.entries(operation.requestBody?.content ?? {})) {
      for (const example of Object.values(examples)) {
        const value = 'value' in example ? example.value : undefined
        const status = await check(operation.operationId, placeOf(path, id), encoded(mediaType, value))
        expect([200, 201, 202, 303]).toContain(status)
      }
    }
  }
})

test('multipart forms are accepted', async () => {
  for (const operationId of ['notify', 'notify_without_slash', 'submit_form']) {
    const body = new FormData()
    body.set('email', 'ada@example.com')
    body.set('form_type', 'reverse')
    body.set('text', 'abc')
    expect(await check(operationId, findOperation(document, operationId).path, { body })).toBe(
      operationId === 'submit_form' ? 303 : 202,
    )
  }
})

describe('invalid bodies get the documented problems', () => {
  test.each([
    [400, { headers: { 'Content-Type': 'application/json' }, body: '{' }],
    [413, { headers: { 'Content-Type': 'application/json' }, body: `"${'x'.repeat(300_000)}"` }],
    [415, { headers: { 'Content-Type': 'text/plain' }, body: 'a text' }],
    [422, { headers: { 'Content-Type': 'application/json' }, body: '{"nonsense":1}' }],
  ])('%i', async (status, request) => {
    const { id } = await finishedTask()
    for (const { operation, path } of operationsOf(document).filter(
      ({ operation }) => operation.requestBody,
    )) {
      const actual = await check(operation.operationId, placeOf(path, id), request)
      expect([operation.operationId, actual]).toEqual([operation.operationId, status])
    }
  })
})

test('an unknown task gets 404 from every operation', async () => {
  for (const { operation, path } of operationsOf(document).filter(({ path }) => path.includes('{id}'))) {
    expect(await check(operation.operationId, path.replace('{id}', UNKNOWN_ID))).toBe(404)
  }
})

test('an unchanged response is 304', async () => {
  const { id } = await finishedTask()
  for (const { operation, path } of operationsOf(document).filter(
    ({ operation }) => '304' in operation.responses,
  )) {
    const place = path.replace('{id}', id).replace('{file}', 'start.js')
    expect(await check(operation.operationId, place)).toBe(200)
    const tag = (await fetch(system.url + place)).headers.get('ETag') ?? ''
    expect(await check(operation.operationId, place, { headers: { 'If-None-Match': tag } })).toBe(304)
  }
})

test('the responses of all operations without parameters are as documented', async () => {
  await finishedTask()
  await waitingTask()
  const plain = operationsOf(document).filter(
    ({ operation, path }) => !operation.requestBody && !path.includes('{'),
  )
  for (const { operation, path } of plain) expect(await check(operation.operationId, path)).toBe(200)
})

test('a submission can be repeated with its key, and its key is rejected with another body', async () => {
  const submissions = [
    ['submit_reverse', '/v1/tasks/reverse', { input: { text: 'abc' } }, { input: { text: 'xyz' } }],
    ['notify', '/notify/', { email: 'ada@example.com' }, { email: 'bob@example.com' }],
    ['submit_form', '/submit_task', { form_type: 'reverse', text: 'a' }, { form_type: 'reverse', text: 'b' }],
  ] as const
  for (const [operationId, path, first, other] of submissions) {
    const submitWithKey = (key: string, body: object) =>
      check(operationId, path, {
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
        body: JSON.stringify(body),
      })
    expect([await submitWithKey('a', first), await submitWithKey('a', first)]).toEqual([202, 202])
    expect([await submitWithKey('a', other), await submitWithKey('', first)]).toEqual([422, 400])
  }
})

test('a submission and a replay that meet a unique task get it', async () => {
  const submission = encoded('application/json', { input: { key: 'met' } })
  expect(await check('submit_until_finished', '/v1/tasks/until_finished', submission)).toBe(202)
  expect(await check('submit_until_finished', '/v1/tasks/until_finished', submission)).toBe(200)
  const { body } = await system.request('POST', '/v1/tasks/until_finished', { input: { key: 'met' } })
  const { id } = body as { id: string }
  expect(await check('replay_task', `/v1/tasks/${id}/replay`)).toBe(200)
  const tasks = [{ name: 'until_finished', input: { key: 'met' } }]
  expect(await check('submit_batch', '/v1/tasks/batch', encoded('application/json', { tasks }))).toBe(202)
  expect(await check('cancel_task', `/v1/tasks/${id}/cancel`)).toBe(200)
  expect(await check('submit_until_finished', '/v1/tasks/until_finished', submission)).toBe(202)
  expect(await check('retry_task', `/v1/tasks/${id}/retry`)).toBe(409)
})

test('an invalid query gets 400', async () => {
  const { id } = await finishedTask()
  expect(await check('get_task', `/v1/tasks/${id}?wait=51`)).toBe(400)
  expect(await check('list_tasks', '/v1/tasks?limit=0')).toBe(400)
  expect(await check('list_logs', `/v1/tasks/${id}/logs?after=x`)).toBe(400)
  expect(await check('count_tasks', '/v1/tasks/count?input.=x')).toBe(400)
  expect(await check('list_keys', '/v1/keys?limit=0')).toBe(400)
  expect(await check('get_statistics', '/v1/stats?window=1')).toBe(400)
})

describe('a task in each status is as documented', () => {
  test('waiting, cancelled, retried', async () => {
    const { id } = await waitingTask()
    await readEverywhere(id)
    expect(await check('cancel_task', `/v1/tasks/${id}/cancel`)).toBe(200)
    expect(await check('cancel_task', `/v1/tasks/${id}/cancel`)).toBe(200)
    await readEverywhere(id)
    expect(await check('retry_task', `/v1/tasks/${id}/retry`)).toBe(202)
    expect(await check('retry_task', `/v1/tasks/${id}/retry`)).toBe(409)
  })

  test('running, with a requested cancellation', async () => {
    const { id } = await system.submit('gated', { gate: 'north' }, SERVED)
    await system.taskWhen(id, ({ status }) => status === 'STARTED')
    await readEverywhere(id)
    expect(await check('cancel_task', `/v1/tasks/${id}/cancel`)).toBe(202)
    await system.taskWhenFinal(id)
    await readEverywhere(id)
  })

  test('failed, with its attempts', async () => {
    const { id } = await system.submit('divide', { x: 1, y: 0 }, { ...SERVED, tags: ['a'] })
    await system.taskWhenFinal(id)
    await readEverywhere(id)
    expect((await system.task(id)).attempts).toHaveLength(1)
  })

  test('finished, with a rejected cancellation', async () => {
    const { id } = await finishedTask()
    await readEverywhere(id)
    expect(await check('cancel_task', `/v1/tasks/${id}/cancel`)).toBe(409)
  })
})

test('the link of the form endpoint divides numbers and rejects prefetch requests', async () => {
  expect(await check('submit_link', '/submit_task?x=10&y=2')).toBe(200)
  expect(await check('submit_link', '/submit_task', { headers: { 'Sec-Purpose': 'prefetch' } })).toBe(400)
  expect(await check('submit_link', '/submit_task?x=ten')).toBe(422)
})

test('an unknown file of the documentation gets 404', async () => {
  expect(await check('get_docs_file', '/docs/nothing.js')).toBe(404)
})

test('events end with the task and are not repeated', async () => {
  const { id } = await finishedTask()
  const tag = (await system.request('GET', `/v1/tasks/${id}`)).headers.get('ETag') ?? ''
  expect(await check('follow_task', `/v1/tasks/${id}/events`)).toBe(200)
  const headers = { 'Last-Event-ID': tag.replaceAll('"', '') }
  expect(await check('follow_task', `/v1/tasks/${id}/events`, { headers })).toBe(204)
})

test('a queue is paused and resumed', async () => {
  for (const verb of ['pause', 'resume']) {
    expect(await check(`${verb}_queue`, `/v1/queues/default/${verb}`)).toBe(200)
    expect(await check(`${verb}_queue`, `/v1/queues/NO!/${verb}`)).toBe(404)
  }
  const body = JSON.stringify({ concurrency: 1, rate_limit: null })
  const headers = { 'Content-Type': 'application/json' }
  expect(await check('set_queue_limits', '/v1/queues/NO!/limits', { headers, body })).toBe(404)
})

test('a worker is drained and resumed', async () => {
  const { body } = (await system.request('GET', '/v1/workers')) as { body: { data: { id: string }[] } }
  for (const verb of ['drain', 'resume']) {
    expect(await check(`${verb}_worker`, `/v1/workers/${body.data[0]?.id}/${verb}`)).toBe(200)
    expect(await check(`${verb}_worker`, `/v1/workers/unknown/${verb}`)).toBe(404)
  }
})

test('schedules', async () => {
  const schedule = { definition: 'reverse', input: { text: 'abc' }, every_seconds: 86_400 }
  const put = (name: string) =>
    check('put_schedule', `/v1/schedules/${name}`, encoded('application/json', schedule))
  expect([await put('documented'), await put('documented'), await put('NO!')]).toEqual([201, 200, 404])
  expect(await check('list_schedules', '/v1/schedules?limit=0')).toBe(400)
  expect(await check('preview_schedule', '/v1/schedules/documented/preview')).toBe(200)
  expect(await check('preview_schedule', '/v1/schedules/documented/preview?count=0')).toBe(400)
  expect(await check('preview_schedule', '/v1/schedules/unknown/preview')).toBe(404)
  for (const verb of ['pause', 'resume']) {
    expect(await check(`${verb}_schedule`, `/v1/schedules/documented/${verb}`)).toBe(200)
    expect(await check(`${verb}_schedule`, `/v1/schedules/unknown/${verb}`)).toBe(404)
  }
  expect(await check('run_schedule', '/v1/schedules/documented/run')).toBe(202)
  expect(await check('run_schedule', '/v1/schedules/unknown/run')).toBe(404)
  const unique = { definition: 'until_finished', input: { key: 'scheduled' }, every_seconds: 86_400 }
  await system.request('PUT', '/v1/schedules/unique', unique)
  for (const status of [202, 200])
    expect(await check('run_schedule', '/v1/schedules/unique/run')).toBe(status)
  expect(await check('get_schedule', '/v1/schedules/documented')).toBe(200)
  expect(await check('get_schedule', '/v1/schedules/unknown')).toBe(404)
  const { database } = system.connections
  await database.query(
    sql`update schedules set source = 'code', definition = 'gone' where name = 'documented'`,
  )
  expect(await check('run_schedule', '/v1/schedules/documented/run')).toBe(409)
  expect(await put('documented')).toBe(409)
  expect(await check('delete_schedule', '/v1/schedules/documented')).toBe(409)
  await database.query(sql`update schedules set every_seconds = null, cron = 'x' where name = 'documented'`)
  expect(await check('preview_schedule', '/v1/schedules/documented/preview')).toBe(409)
  expect(await check('resume_schedule', '/v1/schedules/documented/resume')).toBe(409)
  await database.query(sql`update schedules set source = 'api' where name = 'documented'`)
  expect(await check('delete_schedule', '/v1/schedules/documented')).toBe(204)
  expect(await check('delete_schedule', '/v1/schedules/documented')).toBe(404)
})

test('a batch returns a result for each task', async () => {
  const tasks = [
    { name: 'reverse', input: { text: 'abc' } },
    { name: 'reverse', input: {} },
    { name: 'unknown', input: {} },
  ]
  expect(await check('submit_batch', '/v1/tasks/batch', encoded('application/json', { tasks }))).toBe(202)
})

test('a bulk action returns how many tasks it changed', async () => {
  const { id } = await finishedTask()
  const body = (action: object) => encoded('application/json', action)
  const act = (action: object, headers = {}) => {
    const { headers: type, ...init } = body(action)
    return check('act_on_tasks', '/v1/tasks/bulk', { ...init, headers: { ...type, ...headers } })
  }
  expect(await act({ action: 'cancel', ids: [id] })).toBe(200)
  expect(await act({ action: 'retry', filter: { status: 'FAILURE', 'input.y': '0' } })).toBe(200)
  expect(await act({ action: 'replay', ids: [id] }, { 'Idempotency-Key': '' })).toBe(400)
})

test('every documented status was seen, except those that cannot be caused here', () => {
  const unseen = operationsOf(document).flatMap(({ operation: { operationId, responses } }) =>
    Object.keys(responses)
      .filter((status) => !seen.has(`${operationId} ${status}`) && !isExcused(operationId, status))
      .map((status) => `${operationId} ${status}`),
  )
  expect(unseen).toEqual([])
})

/** Sends a request, checks the response against the document, and returns its status. */
async function check(operationId: string, path: string, init: RequestInit = {}): Promise<number> {
  const { method } = findOperation(document, operationId)
  const response = await fetch(system.url + path, {
    method: method.toUpperCase(),
    redirect: 'manual',
    ...init,
  })
  const { status, headers } = response
  const faults = checker.faultsOf({ operationId, status, headers, text: await response.text() })
  expect(faults).toEqual([])
  seen.add(`${operationId} ${status}`)
  return status
}

async function readEverywhere(id: string) {
  expect(await check('get_task', `/v1/tasks/${id}`)).toBe(200)
  expect(await check('list_logs', `/v1/tasks/${id}/logs`)).toBe(200)
  expect(await check('list_tasks', `/v1/tasks?id=${id}`)).toBe(200)
  expect(await check('list_tasks', `/v1/tasks?id=${id}&compact=true&input.text=abc`)).toBe(200)
  expect(await check('task_status', `/task_status/${id}`)).toBe(200)
  expect(await check('check_task', `/check_task/${id}`)).toBe(200)
  expect(await check('check_task', `/check_task/${id}`, { headers: { Accept: 'application/json' } })).toBe(
    200,
  )
}

async function finishedTask() {
  const { id } = await system.submit('reverse', { text: 'abc' }, SERVED)
  return system.taskWhenFinal(id)
}

function waitingTask() {
  return system.submit('reverse', { text: 'abc' }, { queue: 'unserved' })
}

function isExcused(operationId: string, status: string): boolean {
  const isSubmission = /^(submit_|notify|replay_|act_on_)/.test(operationId)
  return status in NOT_CAUSED || (isSubmission && `submission ${status}` in NOT_CAUSED)
}

/** Returns a path with this id of a task, and with the name of a schedule. */
function placeOf(path: string, id: string): string {
  return path.replace('{id}', id).replace('{name}', 'nightly')
}

function encoded(mediaType: string, value: unknown): RequestInit {
  if (mediaType === 'application/json')
    return { headers: { 'Content-Type': mediaType }, body: JSON.stringify(value) }
  const fields = Object.entries(Object(value)).map(([name, field]): [string, string] => [name, String(field)])
  return { body: new URLSearchParams(fields) }
}
