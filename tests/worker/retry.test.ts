// Retries: the decisions about ended attempts, and their effects in a running system.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, RetryLaterError, type TaskDefinition } from '../../src/definitions/define.ts'
import { decide, retryDelayMs } from '../../src/definitions/task-status.ts'
import { startTestServer } from '../support/http-server.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const fetchUrl = defineTask({
  name: 'fetch_url',
  title: 'Fetch a URL',
  description: 'for tests',
  input: z.url(),
  output: z.int(),
  example: 'https://example.com',
  run: async (url) => (await fetch(url)).status,
}) as TaskDefinition
const backoff = { baseMs: 1_000, capMs: 10_000 }
const task = { failures: 0, maxRetries: 2, backoff, isCancelRequested: false }
const failed = (retryable = true) => ({
  kind: 'failed' as const,
  error: { name: 'Error', message: 'no', retryable },
})

describe('the retry delay', () => {
  test('does not decrease with further failures, whatever the random value, and ends at the cap', () => {
    for (const [oddRandom, evenRandom] of [
      [0.999, 0],
      [0.5, 0.5],
      [0, 0.999],
    ] as const) {
      const pauses = [1, 2, 3].map((failures) =>
        retryDelayMs(backoff, failures, failures % 2 ? oddRandom : evenRandom),
      )
      expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses)
    }
    expect(retryDelayMs(backoff, 30, 1)).toBe(10_000)
    expect(retryDelayMs(backoff, 2_000, 1)).toBe(10_000)
  })

  test('is spread over the whole range between the previous limit and the next', () => {
    expect([0, 0.5, 1].map((random) => retryDelayMs(backoff, 1, random))).toEqual([0, 500, 1_000])
    expect([0, 0.5, 1].map((random) => retryDelayMs(backoff, 3, random))).toEqual([2_000, 3_000, 4_000])
  })
})

describe('an ended attempt', () => {
  test('that failed leads to RETRY while retries are left, and to FAILURE when none are left', () => {
    expect(decide(task, failed(), 0)).toMatchObject({ status: 'RETRY', failures: 1 })
    expect(decide({ ...task, failures: 1 }, failed(), 0)).toMatchObject({ status: 'RETRY', failures: 2 })
    expect(decide({ ...task, failures: 2 }, failed(), 0)).toMatchObject({ status: 'FAILURE', failures: 3 })
  })

  test('with a minimum delay is retried after that or after the usual delay, whichever is later', () => {
    const { delayMs: usualMs = 0 } = decide(task, failed(), 0.5)
    const delayOf = (minDelayMs: number) => decide(task, { ...failed(), minDelayMs }, 0.5).delayMs
    expect(delayOf(60_000)).toBe(60_000)
    expect(delayOf(usualMs - 1)).toBe(usualMs)
    expect(delayOf(0)).toBe(usualMs)
    expect(decide({ ...task, failures: 2 }, { ...failed(), minDelayMs: 60_000 }, 0.5)).toEqual({
      status: 'FAILURE',
      error: failed().error,
      failures: 3,
    })
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 1e300])(
    'cannot request an invalid delay: %s',
    (delayMs) => {
      expect(() => new RetryLaterError('later', { delayMs })).toThrow(RangeError)
    },
  )

  test('that is not retryable leads to FAILURE', () => {
    expect(decide(task, failed(false), 0)).toMatchObject({ status: 'FAILURE', failures: 1 })
  })

  test('that was released by a shutdown leads to PENDING and uses no retry', () => {
    expect(decide({ ...task, failures: 2 }, { kind: 'released' }, 0)).toEqual({
      status: 'PENDING',
      failures: 2,
      delayMs: 0,
    })
  })

  test('of a task with a requested cancellation leads to CANCELLED or SUCCESS', () => {
    const cancelled = { ...task, isCancelRequested: true }
    expect(decide(cancelled, failed(), 0).status).toBe('CANCELLED')
    expect(decide(cancelled, { kind: 'released' }, 0).status).toBe('CANCELLED')
    expect(decide(cancelled, { kind: 'succeeded', resultText: '1' }, 0).status).toBe('SUCCESS')
  })
})

describe('in a running system', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({ definitions: [...createTestDefinitions(), fetchUrl] })
  })
  afterAll(() => system.stop())

  test('a task whose result is not JSON ends as FAILURE, and other tasks are not affected', async () => {
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

  test('a task with an unknown definition fails with a retryable error that contains its name', async () => {
    const id = '01900000-0000-7000-8000-000000000002'
    const task = {
      id,
      name: 'unknown_definition',
      queue: 'default',
      input: {},
      maxRetries: 0,
      timeoutMs: 1_000,
      tags: [],
    }
    await system.connections.taskStore.insertMany([{ ...task, createdAt: new Date() }])
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'FAILURE',
      error: { message: 'This worker has no task "unknown_definition"', retryable: true },
    })
  })

  test.each<[reason: string, url: () => Promise<string>]>([
    [
      'ECONNREFUSED',
      async () => {
        const server = await startTestServer(() => {})
        await server.stop()
        return server.url
      },
    ],
    ['bad port', async () => 'http://127.0.0.1:1'],
  ])('the error of a fetch that failed has its reason: %s', async (reason, url) => {
    const { id } = await system.submit('fetch_url', await url(), { max_retries: 0 })
    const { error } = await system.taskWhenFinal(id)
    expect(error).toMatchObject({ name: 'TypeError', message: `fetch failed: ${reason}`, retryable: true })
  })

  test('a delayed task does not start before its time', async () => {
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
