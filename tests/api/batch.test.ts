// Batches of submissions, and replays of a task.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BatchResponse } from '../../src/api/tasks/batch.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { AppError } from '../../src/base/errors.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

const REVERSE = { name: 'reverse', input: { text: 'ab' } }

function submitBatch(tasks: unknown[]): Promise<{ status: number; headers: Headers; body: BatchResponse }> {
  return system.request('POST', '/v1/tasks/batch', { tasks })
}

const pointersOf = (item: object) =>
  'problem' in item
    ? (item.problem as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)
    : []

describe('a batch', () => {
  test('of 1,000 tasks is accepted, and all of them run', async () => {
    const { status, body } = await submitBatch(Array.from({ length: 1_000 }, () => REVERSE))
    expect([status, body.accepted, body.rejected]).toEqual([202, 1_000, 0])
    const ids = body.items.flatMap((item) => ('id' in item ? [item.id] : []))
    expect(new Set(ids).size).toBe(1_000)
    expect(body.items.map(({ index }) => index)).toEqual(Array.from({ length: 1_000 }, (_, index) => index))
    for (const id of [ids[0], ids[500], ids[999]]) {
      expect(await system.taskWhenFinal(id ?? '')).toMatchObject({
        status: 'SUCCESS',
        result: { text: 'ba' },
      })
    }
  })

  test('is validated task by task: valid tasks are accepted, the others are rejected with a pointer to each fault', async () => {
    const { status, body } = await submitBatch([
      REVERSE,
      { name: 'revers', input: {} },
      { name: 'reverse', input: { text: 7 } },
      { ...REVERSE, options: { queue: 'mail', max_retries: -1 } },
      { ...REVERSE, surprise: true },
      'nonsense',
      { ...REVERSE, options: { queue: 'mail', tags: ['a'] } },
    ])
    expect([status, body.accepted, body.rejected]).toEqual([202, 2, 5])
    const problems = body.items.map((item) => ('problem' in item ? item.problem : null))
    expect(problems).toEqual([
      null,
      expect.objectContaining({ status: 404, type: 'urn:waggle:problem:unknown_definition' }),
      expect.objectContaining({
        status: 422,
        errors: [expect.objectContaining({ pointer: '#/tasks/2/input/text' })],
      }),
      expect.objectContaining({
        errors: [expect.objectContaining({ pointer: '#/tasks/3/options/max_retries' })],
      }),
      expect.objectContaining({ errors: [expect.objectContaining({ pointer: '#/tasks/4/surprise' })] }),
      expect.objectContaining({ errors: [expect.objectContaining({ pointer: '#/tasks/5' })] }),
      null,
    ])
    const last = body.items.at(-1)
    expect(await system.task(last && 'id' in last ? last.id : '')).toMatchObject({
      queue: 'mail',
      tags: ['a'],
    })
  })

  test('rejects the tasks with numbers that a double would change, and no others', async () => {
    const bad = '{"name":"reverse","input":{"text":"ab","id":[9007199254740993,1e999]}}'
    const good = '{"name":"reverse","input":{"text":"ab","id":[9007199254740991,1e99]}}'
    const response = await fetch(`${system.url}/v1/tasks/batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: `{"tasks":[${Array.from({ length: 100 }, (_, index) => (index % 4 === 0 ? good : bad)).join()}]}`,
    })
    const { accepted, rejected, items } = (await response.json()) as BatchResponse
    expect([response.status, accepted, rejected]).toEqual([202, 25, 75])
    for (const { index, ...item } of items) {
      if (index % 4 === 0) expect(item).toHaveProperty('id')
      else expect(pointersOf(item)).toEqual([`#/tasks/${index}/input/id/0`, `#/tasks/${index}/input/id/1`])
    }
  })

  test.each([
    ['zero tasks', { tasks: [] }],
    ['1,001 tasks', { tasks: Array.from({ length: 1_001 }, () => 0) }],
    ['an object instead of a list', { tasks: REVERSE }],
    ['a list and an unknown member', { tasks: [REVERSE], more: 1 }],
  ])('of %s is rejected', async (_what, body) => {
    const { status } = await system.request('POST', '/v1/tasks/batch', body)
    expect(status).toBe(422)
  })

  test('with a rejected task and one that could not be stored gets 503', async () => {
    const { database } = system.connections
    const { run } = database
    database.run = () => Promise.reject(new AppError('unavailable', 'The database cannot be reached'))
    try {
      const { status, headers } = await submitBatch([{ name: 'nothing', input: 1 }, REVERSE])
      expect([status, headers.get('Retry-After')]).toEqual([503, '2'])
    } finally {
      database.run = run
    }
  })

  test('that could not be stored gets 503, so that it can be sent again', async () => {
    const { database } = system.connections
    const { run } = database
    database.run = () => Promise.reject(new AppError('unavailable', 'The database cannot be reached'))
    try {
      const { status, headers } = await submitBatch([REVERSE, REVERSE])
      expect([status, headers.get('Retry-After')]).toEqual([503, '2'])
    } finally {
      database.run = run
    }
  })
})

describe('a replay', () => {
  async function replay(id: string, body?: unknown) {
    return (await system.request('POST', `/v1/tasks/${id}/replay`, body)) as {
      status: number
      headers: Headers
      body: TaskView
    }
  }

  test('is a new task with the same input and options and with replayed_from', async () => {
    const options = { queue: 'default', tags: ['night'], max_retries: 7, timeout_seconds: 12 }
    const first = await system.submit('reverse', { text: 'ab' }, options)
    await system.taskWhenFinal(first.id)
    const { status, headers, body } = await replay(first.id)
    expect(status).toBe(202)
    expect(headers.get('Location')).toBe(`/v1/tasks/${body.id}`)
    expect(body).toMatchObject({
      name: 'reverse',
      input: { text: 'ab' },
      replayed_from: first.id,
      ...options,
      status: 'PENDING',
    })
    expect(await system.taskWhenFinal(body.id)).toMatchObject({ status: 'SUCCESS', replayed_from: first.id })
    expect(await system.task(first.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  })

  test('accepts another input and other options', async () => {
    const first = await system.submit('divide', { x: 1, y: 0 }, { tags: ['a'] })
    await system.taskWhenFinal(first.id)
    const { body } = await replay(first.id, { input: { x: 1, y: 4 }, options: { tags: ['b'] } })
    expect(body).toMatchObject({ input: { x: 1, y: 4 }, tags: ['b'], replayed_from: first.id })
  })

  test('of an unknown task gets 404, and with an invalid input 422', async () => {
    expect((await replay(newId())).status).toBe(404)
    expect((await replay('nonsense')).status).toBe(404)
    const { id } = await system.submit('reverse', { text: 'ab' })
    const { status, body } = await replay(id, { input: { text: 7 } })
    expect(status).toBe(422)
    expect(body).toMatchObject({ errors: [{ pointer: '#/input/text' }] })
    expect((await replay(id, { inputs: {} })).status).toBe(422)
  })
})
