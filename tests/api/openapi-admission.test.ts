// API keys and rate limits compared with the OpenAPI document: which operations reject which requests.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { createDocumentChecker, type DocumentChecker, operationsOf } from '../support/documented.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const keys = createTestKeys({
  reader: ['read'],
  submitter: ['submit'],
  limited: ['submit', 'read', 'operate'],
})
// Enough requests for each key of the other tests.
const REQUESTS = 30

let system: TestSystem
let document: OpenApiDocument
let checker: DocumentChecker
beforeAll(async () => {
  const rateLimit = { requests: REQUESTS, seconds: 600 }
  system = await startSystem({ worker: false, apiKeys: keys.apiKeys, rateLimit })
  document = (await system.request('GET', '/openapi.json')).body
  checker = createDocumentChecker(document)
})
afterAll(() => system.stop())

test('without a key exactly the operations that need one respond with 401', async () => {
  for (const { operation, method, path } of operationsOf(document)) {
    const status = await check(operation.operationId, method, path)
    expect([path, status === 401]).toEqual([path, operation.security.length > 0])
  }
})

test('a key without the scope gets 403', async () => {
  const wrongKeys: Record<string, string> = { read: 'submitter', submit: 'reader', operate: 'reader' }
  for (const { operation, method, path } of operationsOf(document)) {
    const wrongKey = wrongKeys[operation.security[0]?.apiKey?.[0] ?? '']
    if (wrongKey === undefined) continue
    expect([path, await check(operation.operationId, method, path, keys.headers(wrongKey))]).toEqual([
      path,
      403,
    ])
  }
})

test('a submission returns a poll token that reads its task', async () => {
  const { status, headers, body } = await system.request(
    'POST',
    '/v1/tasks/reverse',
    { input: { text: 'abc' } },
    keys.headers('submitter'),
  )
  const operationId = 'submit_reverse'
  expect(checker.faultsOf({ operationId, status, headers, text: JSON.stringify(body) })).toEqual([])
  const { id, poll_token: token } = body as { id: string; poll_token: string }
  for (const { operation, method, path } of operationsOf(document)) {
    if (!operation.security.some((scheme) => 'pollToken' in scheme)) continue
    const place = `${path.replace('{id}', id)}?poll_token=${token}`
    expect([path, await check(operation.operationId, method, place)]).toEqual([path, 200])
  }
})

test('requests beyond the rate limit get 429 exactly where that is documented', async () => {
  const headers = keys.headers('limited')
  for (const { operation, method, path } of operationsOf(document)) {
    // Of the lists only searches are limited.
    const query = operation.operationId === 'list_tasks' ? '?q=a' : ''
    const request = () => check(operation.operationId, method, path + query, headers)
    // The limiter accepts requests while it cannot count them, so repeat the request until it is rejected.
    if ('429' in operation.responses) await until(request, (status) => status === 429)
    else expect([path, await request()]).not.toEqual([path, 429])
  }
})

/** Sends a request, checks the response against the document, and returns its status. */
async function check(operationId: string, method: string, path: string, headers = {}): Promise<number> {
  const controller = new AbortController()
  const { signal } = controller
  const response = await fetch(system.url + path, { method: method.toUpperCase(), headers, signal })
  const { status } = response
  // The event stream of a waiting task does not end.
  const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream')
  const text = isStream ? '' : await response.text()
  controller.abort()
  expect(checker.faultsOf({ operationId, status, headers: response.headers, text })).toEqual([])
  return status
}
