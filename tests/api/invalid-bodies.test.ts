// Invalid request bodies: each gets a problem document with the matching status, and the system continues to
// work.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TestSystem } from '../support/system.ts'
import {
  expectProblem,
  FORM_TYPE,
  JSON_TYPE,
  SUBMISSIONS,
  send,
  setUpSystem,
} from './support/problem-requests.ts'

const BODY_LIMIT = 256 * 1024

const { system: started } = setUpSystem()
let system: TestSystem
beforeAll(() => {
  system = started()
})

describe('a body that is not JSON gets 400', () => {
  const BROKEN = [
    '',
    ' ',
    '{',
    '{"input":',
    "{'input':1}",
    '{"input":{}}x',
    '{"a":1,}',
    'undefined',
    '\u0000',
  ]
  const cases = SUBMISSIONS.flatMap((path) => BROKEN.map((body) => [path, body] as const))
  test.each(cases)('%s %j', async (path, body) => {
    expectProblem(await send(system, 'POST', path, { headers: JSON_TYPE, body }), 400)
  })
})

describe('a body with an unsupported Content-Type gets 415', () => {
  const TYPES = [
    undefined,
    '',
    'text/plain',
    'text/json',
    'application/xml',
    'application/jsonx',
    'json',
    '\u00e4',
  ]
  const cases = SUBMISSIONS.flatMap((path) => TYPES.map((type) => ({ path, type })))
  test.each(cases)('$path: $type', async ({ path, type }) => {
    const body = '{"input":{"text":"abc"},"email":"ada@example.com"}'
    const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type }
    expectProblem(await send(system, 'POST', path, { headers, body }), 415)
  })

  test('a form sent to the tasks API', async () => {
    const sent = { headers: FORM_TYPE, body: 'text=abc' }
    expectProblem(await send(system, 'POST', '/v1/tasks/reverse', sent), 415)
  })

  test('a malformed multipart form gets 400 instead', async () => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' }
    expectProblem(await send(system, 'POST', '/notify', { headers, body: 'no boundary anywhere' }), 400)
    const without = { 'Content-Type': 'multipart/form-data' }
    expectProblem(await send(system, 'POST', '/notify', { headers: without, body: 'x' }), 400)
  })
})

describe('JSON with invalid content gets 422 with a pointer to every fault', () => {
  test.each<[path: string, body: unknown, pointers: string[]]>([
    ['/v1/tasks/reverse', {}, ['#/input']],
    ['/v1/tasks/reverse', { input: null }, ['#/input']],
    ['/v1/tasks/reverse', { input: [] }, ['#/input']],
    ['/v1/tasks/reverse', { input: 'abc' }, ['#/input']],
    ['/v1/tasks/reverse', { input: {} }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: '' } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: 7 } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: ['abc'] } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: 'x'.repeat(10_001) } }, ['#/input/text']],
    ['/v1/tasks/divide', { input: { x: 'ten', y: null } }, ['#/input/x', '#/input/y']],
    ['/v1/tasks/email', { input: {} }, ['#/input/recipient', '#/input/subject', '#/input/body']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, options: [] }, ['#/options']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, options: 'fast' }, ['#/options']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, 'a/b~c d': 1 }, ['#/a~1b~0c%20d']],
    ['/v1/tasks/reverse', [], ['#']],
    ['/v1/tasks/reverse', 'abc', ['#']],
    ['/v1/tasks/reverse', null, ['#']],
    ['/v1/tasks/anything', {}, ['#/input']],
    ['/notify', [], ['#']],
    ['/notify', null, ['#']],
    ['/notify', 'ada@example.com', ['#']],
    ['/notify', { email: `${'x'.repeat(300)}@example.com` }, ['#/email']],
    ['/submit_task', [], ['#']],
    ['/submit_task', { form_type: 'email', recipient: 'x' }, ['#/recipient', '#/subject', '#/body']],
  ])('%s %j', async (path, body, pointers) => {
    const problem = expectProblem(
      await send(system, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }),
      422,
    )
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(pointers)
    expect(problem.errors?.every(({ detail }) => detail.length > 0)).toBe(true)
  })

  test.each([
    ['/v1/tasks/reverse', {}, '#/input', 'must not be left out'],
    ['/v1/tasks/labels', { input: { LOUD: 1 } }, '#/input/LOUD', 'must be lower case'],
  ])('and with a readable detail: %s %j', async (path, body, pointer, detail) => {
    const response = await send(system, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) })
    expect(expectProblem(response, 422).errors).toEqual([{ pointer, detail }])
  })

  test('a number that overflows a double where a number is expected', async () => {
    const body = '{"input":{"x":1e999,"y":1}}'
    const problem = expectProblem(
      await send(system, 'POST', '/v1/tasks/divide', { headers: JSON_TYPE, body }),
      422,
    )
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['#/input/x'])
  })

  test('but of a duplicate key the last value counts', async () => {
    const body = '{"input":{"text":7},"input":{"text":7,"text":"abc"}}'
    const { status, text } = await send(system, 'POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body })
    expect([status, JSON.parse(text).input]).toEqual([202, { text: 'abc' }])
  })
})

describe('a body over the limit gets 413 with the limit', () => {
  const tooLong = (path: string) =>
    path === '/submit_task'
      ? { headers: FORM_TYPE, body: `form_type=reverse&text=${'x'.repeat(BODY_LIMIT)}` }
      : { headers: JSON_TYPE, body: `{"input":{"text":"${'x'.repeat(BODY_LIMIT)}"}}` }

  test.each(SUBMISSIONS)('%s, with a Content-Length', async (path) => {
    const problem = expectProblem(await send(system, 'POST', path, tooLong(path)), 413)
    expect(problem.detail).toContain(String(BODY_LIMIT))
  })

  test.each(SUBMISSIONS)('%s, with chunked encoding', async (path) => {
    const problem = expectProblem(
      await send(system, 'POST', path, { ...tooLong(path), isChunked: true }),
      413,
    )
    expect(problem.detail).toContain(String(BODY_LIMIT))
  })

  test('but a body of exactly the limit is read', async () => {
    const fill = (length: number) => `{"input":{"text":"${'x'.repeat(length)}"}}`
    const body = fill(BODY_LIMIT - fill(0).length)
    for (const isChunked of [true, false]) {
      expectProblem(
        await send(system, 'POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body, isChunked }),
        422,
      )
    }
  })
})
