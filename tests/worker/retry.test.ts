// The pure decisions about attempts, and what they come to in a running system.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RetryLaterError } from '../../src/definitions/define.ts'
import { decide, retryDelayMs } from '../../src/definitions/task-status.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const backoff = { baseMs: 1_000, capMs: 10_000 }
const task = { failures: 0, maxRetries: 2, backoff, isCancelRequested: false }
const failed = (retryable = true) => ({
  kind: 'failed' as const,
  error: { name: 'Error', message: 'no', retryable },
})

describe('the pause before the next attempt', () => {
  test('grows with every failure, whatever chance says, up to the cap', () => {
    for (const [longest, shortest] of [
      [0.999, 0],
      [0.5, 0.5],
      [0, 0.999],
    ] as const) {
      const pauses = [1, 2, 3].map((failures) =>
        retryDelayMs(backoff, failures, failures % 2 ? longest : shortest),
      )
      expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses)
    }
    expect(retryDelayMs(backoff, 30, 1)).toBe(10_000)
    expect(retryDelayMs(backoff, 2_000, 1)).toBe(10_000)
  })

  test('is spread over the whole step between two ceilings', () => {
    expect([0, 0.5, 1].map((random) => retryDelayMs(backoff, 1, random))).toEqual([0, 500, 1_000])
    expect([0, 0.5, 1].map((random) => retryDelayMs(backoff, 3, random))).toEqual([2_000, 3_000, 4_000])
  })
})

describe('an ended attempt', () => {
  test('that failed is tried again while there is budget, and fails when it is used', () => {
    expect(decide(task, failed(), 0)).toMatchObject({ status: 'RETRY', failures: 1 })
    expect(decide({ ...task, failures: 1 }, failed(), 0)).toMatchObject({ status: 'RETRY', failures: 2 })
    expect(decide({ ...task, failures: 2 }, failed(), 0)).toMatchObject({ status: 'FAILURE', failures: 3 })
  })

  test('that knows when another may help is tried again no earlier, and no earlier than any other', () => {
    const { delayMs: usualMs = 0 } = decide(task, failed(), 0.5)
    const delayOf = (leastDelayMs: number) => decide(task, { ...failed(), leastDelayMs }, 0.5).delayMs
    expect(delayOf(60_000)).toBe(60_000)
    expect(delayOf(usualMs - 1)).toBe(usualMs)
    expect(delayOf(0)).toBe(usualMs)
    expect(decide({ ...task, failures: 2 }, { ...failed(), leastDelayMs: 60_000 }, 0.5)).toEqual({
      status: 'FAILURE',
      error: failed().error,
      failures: 3,
    })
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 1e300])(
    'cannot ask for a pause that is none: %s',
    (delayMs) => {
      expect(() => new RetryLaterError('later', { delayMs })).toThrow(RangeError)
    },
  )

  test('that cannot be helped by another fails at once', () => {
    expect(decide(task, failed(false), 0)).toMatchObject({ status: 'FAILURE', failures: 1 })
  })

  test('that was put back by a shutdown waits again and uses no budget', () => {
    expect(decide({ ...task, failures: 2 }, { kind: 'released' }, 0)).toEqual({
      status: 'PENDING',
      failures: 2,
      delayMs: 0,
    })
  })

  test('whose cancellation was asked for is never put back', () => {
    const cancelled = { ...task, isCancelRequested: true }
    expect(decide(cancelled, failed(), 0).status).toBe('CANCELLED')
    expect(decide(cancelled, { kind: 'released' }, 0).status).toBe('CANCELLED')
    expect(decide(cancelled, { kind: 'succeeded', result: 1 }, 0).status).toBe('SUCCESS')
  })
})

describe('in a running system', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({ definitions: createTestDefinitions() })
  })
  afterAll(() => system.stop())

  test('a result that is no JSON ends as FAILURE that says so, and takes nobody with it', async () => {
    const [bad, good] = await Promise.all([
      system.submit('unstorable', {}),
      system.submit('reverse', { text: 'ab' }),
    ])
    expect(await system.taskWhenFinal(bad.id)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { name: 'UnstorableResult', retryable: false },
    })
    expect(await system.taskWhenFinal(good.id)).toMatchObject({ status: 'SUCCESS' })
  })

  test('a task that this version of the code does not know is tried again, and fails by its name', async () => {
    const id = '01900000-0000-7000-8000-000000000002'
    const task = {
      id,
      name: 'from_the_future',
      queue: 'default',
      input: {},
      maxRetries: 0,
      timeoutMs: 1_000,
      tags: [],
    }
    await system.connections.taskStore.insertMany([{ ...task, createdAt: new Date() }])
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'FAILURE',
      error: { message: 'This worker has no task "from_the_future"', retryable: true },
    })
  })

  test('a delayed task waits for its time', async () => {
    const later = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 1 })
    const never = await system.submit('reverse', { text: 'ab' }, { run_at: '2099-01-01T00:00:00Z' })
    const done = await system.taskWhenFinal(later.id)
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(done.run_at))
    expect(await system.task(never.id)).toMatchObject({
      status: 'PENDING',
      run_at: '2099-01-01T00:00:00.000Z',
    })
  })
})
