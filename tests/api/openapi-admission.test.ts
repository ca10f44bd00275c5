// Keys and limits against the OpenAPI document: who is refused, where, and how it is told.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { createDocumentChecker, type DocumentChecker, operationsOf } from '../support/documented.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const keys = createTestKeys({ reader: ['read'], submitter: ['submit'], hasty: ['submit', 'operate'] })
// Enough for the other tests, with a key each.
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

test('without a key, what needs one is 401 and everything else is not', async () => {
  for (const { operation, method, path } of operationsOf(document)) {
    const status = await ask(operation.operationId, method, path)
    expect([path, status === 401]).toEqual([path, operation.security.length > 0])
  }
})

test('a key without the scope is 403', async () => {
  const wrongKeys: Record<string, string> = { read: 'submitter', submit: 'reader', operate: 'reader' }
  for (const { operation, method, path } of operationsOf(document)) {
    const wrongKey = wrongKeys[operation.security[0]?.apiKey?.[0] ?? '']
    if (wrongKey === undefined) continue
    expect([path, await ask(operation.operationId, method, path, keys.headers(wrongKey))]).toEqual([
      path,
      403,
    ])
  }
})

test('a submission is answered with the token that reads its task', async () => {
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
    expect([path, await ask(operation.operationId, method, place)]).toEqual([path, 200])
  }
})

test('who asks too often is 429 wherever that is documented, and nowhere else', async () => {
  const headers = keys.headers('hasty')
  for (const { operation, method, path } of operationsOf(document)) {
    const request = () => ask(operation.operationId, method, path, headers)
    // A limiter that cannot count for a moment lets everybody pass: asking on gets there all the same.
    if ('429' in operation.responses) await until(request, (status) => status === 429)
    else expect([path, await request()]).not.toEqual([path, 429])
  }
})

/** Holds the answer against the document, and gives its status. */
async function ask(operationId: string, method: string, path: string, headers = {}): Promise<number> {
  const leaving = new AbortController()
  const { signal } = leaving
  const response = await fetch(system.url + path, { method: method.toUpperCase(), headers, signal })
  const { status } = response
  // The events of a task that waits have no end.
  const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream')
  const text = isStream ? '' : await response.text()
  leaving.abort()
  expect(checker.faultsOf({ operationId, status, headers: response.headers, text })).toEqual([])
  return status
}
