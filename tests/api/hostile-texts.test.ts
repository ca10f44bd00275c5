// Texts and inputs that are unusual or malicious: they are stored as data or rejected with a problem
// document.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TestSystem } from '../support/system.ts'
import { expectProblem, JSON_TYPE, send, setUpSystem } from './support/problem-requests.ts'

const { system: started } = setUpSystem()
let system: TestSystem
beforeAll(() => {
  system = started()
})

describe('hostile texts', () => {
  test.each<[place: string, path: string, body: unknown]>([
    ['a NUL in a tag', '/v1/tasks/reverse', { input: { text: 'a' }, options: { tags: ['\u0000'] } }],
    [
      'a lone surrogate in a tag',
      '/v1/tasks/reverse',
      { input: { text: 'a' }, options: { tags: ['\ud800'] } },
    ],
    ['a NUL in a queue', '/v1/tasks/reverse', { input: { text: 'a' }, options: { queue: 'a\u0000' } }],
    ['a line break in a queue', '/v1/tasks/reverse', { input: { text: 'a' }, options: { queue: 'a\n' } }],
    ['a NUL in an address', '/notify', { email: 'a\u0000@example.com' }],
    ['a line break in an address', '/notify', { email: 'a@example.com\nBcc: b@example.com' }],
    ['a NUL in a form type', '/submit_task', { form_type: 'reverse\u0000', text: 'a' }],
  ])('%s gets 422', async (_place, path, body) => {
    expectProblem(await send(system, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }), 422)
  })

  test.each([
    ['a NUL', '\u0000'],
    ['all control characters', String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code))],
    ['lone surrogates', '\udc00\ud800'],
    ['markup and SQL', `<script>'; drop table tasks; --`],
    ['directions and joiners', '\u202e\u200d\ufeff'],
    ['the longest text', '\u{1F41D}'.repeat(5_000)],
  ])('%s in the input of a task is stored and returned unchanged', async (_kind, text) => {
    const { id } = await system.submit('reverse', { text })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', input: { text } })
  })

  test.each([
    ['/v1/tasks/reverse', '{"input":{"text":"\xff\xc0\xaf"}}', 202],
    ['/notify', '{"email":"\xff@example.com"}', 422],
    ['/submit_task', '{"form_type":"reverse","text":"\xed\xa0\x80"}', 202],
  ])('%s accepts bytes that are not UTF-8 or rejects them with 422', async (path, latin, expected) => {
    const body = Buffer.from(latin, 'latin1')
    expect((await send(system, 'POST', path, { headers: JSON_TYPE, body })).status).toBe(expected)
  })

  test.each([
    ['/v1/tasks/reverse', 100_000],
    ['/notify', 100_000],
    ['/submit_task', 100_000],
    ['/v1/tasks/anything', 100_000],
    ['/v1/tasks/anything', 5_000],
  ])('%s rejects an input that is nested %d levels deep', async (path, depth) => {
    const body = `{"input":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expectProblem(await send(system, 'POST', path, { headers: JSON_TYPE, body }), 422)
  })

  test('a task that arrives at the same time as such an input is accepted', async () => {
    const deep = `{"input":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`
    const responses = await Promise.all([
      send(system, 'POST', '/v1/tasks/anything', { headers: JSON_TYPE, body: deep }),
      send(system, 'POST', '/v1/tasks/anything', { headers: JSON_TYPE, body: '{"input":[[[[1]]]]}' }),
    ])
    expect(responses.map(({ status }) => status)).toEqual([422, 202])
  })

  test('tens of thousands of members are accepted, tens of thousands of tags rejected', async () => {
    const members = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`m${n}`, 0]))
    const body = JSON.stringify({ input: { text: 'abc', ...members } })
    expect((await send(system, 'POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body })).status).toBe(202)
    const list = JSON.stringify({ input: { text: 'abc' }, options: { tags: new Array(50_000).fill('x') } })
    expectProblem(await send(system, 'POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body: list }), 422)
  })
})
