// Reading a task: ETags, and requests that wait for its end.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createSignals, type Signals } from '../../src/redis/signals.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createGate, createTaskRequests, UNKNOWN_ID } from './support/tasks-api.ts'

const gate = createGate()
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [gate.definition] })
})
afterAll(() => system.stop())

const { get, waitingTask, finishedTask } = createTaskRequests(() => system)

describe('GET /v1/tasks/{id}', () => {
  test('has Retry-After only while the task is unfinished', async () => {
    const unfinished = await get(`/v1/tasks/${(await waitingTask()).id}`)
    expect(unfinished.headers.get('Retry-After')).toBe('1')
    expect(unfinished.headers.get('Cache-Control')).toBe('private, no-cache')
    const finished = await get(`/v1/tasks/${(await finishedTask()).id}`)
    expect(finished.headers.has('Retry-After')).toBe(false)
  })

  test('responds with 304 until the task changes', async () => {
    const { id } = await waitingTask()
    const first = await get(`/v1/tasks/${id}`)
    const tag = first.headers.get('ETag') ?? ''
    expect(await get(`/v1/tasks/${id}`, { 'If-None-Match': tag })).toMatchObject({ status: 304, body: '' })
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    const changed = await get(`/v1/tasks/${id}`, { 'If-None-Match': tag })
    expect(changed).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
    expect(changed.headers.get('ETag')).not.toBe(tag)
  })

  test.each([
    ['a weak tag, as compressing proxies send it', (tag: string) => `W/${tag}`],
    ['a list of tags', (tag: string) => `"other", ${tag}`],
    ['any tag', () => '*'],
  ])('responds with 304 to %s', async (_kind, headerOf) => {
    const { id } = await waitingTask()
    const tag = (await get(`/v1/tasks/${id}`)).headers.get('ETag') ?? ''
    expect((await get(`/v1/tasks/${id}`, { 'If-None-Match': headerOf(tag) })).status).toBe(304)
  })

  // The timeout is shorter than the 50 seconds of `wait`, so the responses must come before.
  test('?wait= responds to all waiting requests as soon as the task finishes', {
    timeout: 20_000,
  }, async () => {
    const { id, open } = await gate.startTask(system)
    const responses = Array.from({ length: 20 }, () => get(`/v1/tasks/${id}?wait=50`))
    const unfinished = await get(`/v1/tasks/${id}?wait=0.1`)
    expect(unfinished).toMatchObject({ status: 200, body: { status: 'STARTED' } })
    open()
    for (const { status, body } of await Promise.all(responses)) {
      expect({ status, body }).toMatchObject({ status: 200, body: { status: 'SUCCESS' } })
    }
  })

  test('?wait= responds immediately for a finished task', { timeout: 20_000 }, async () => {
    const { id } = await finishedTask()
    expect((await get(`/v1/tasks/${id}?wait=50`)).body).toMatchObject({ status: 'SUCCESS' })
  })

  test('?wait= responds when a waiting task is cancelled', { timeout: 20_000 }, async () => {
    const { id } = await waitingTask()
    const response = get(`/v1/tasks/${id}?wait=50`)
    await get(`/v1/tasks/${id}?wait=0.05`)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect((await response).body).toMatchObject({ status: 'CANCELLED' })
  })

  test('?wait= still responds to other clients after one client has disconnected', {
    timeout: 20_000,
  }, async () => {
    const { id, open } = await gate.startTask(system)
    const controller = new AbortController()
    const aborted = fetch(`${system.url}/v1/tasks/${id}?wait=50`, { signal: controller.signal }).catch(
      () => 'aborted',
    )
    const other = get(`/v1/tasks/${id}?wait=50`)
    await get(`/v1/tasks/${id}?wait=0.05`)
    controller.abort()
    expect(await aborted).toBe('aborted')
    open()
    expect((await other).body).toMatchObject({ status: 'SUCCESS' })
    expect(system.emitted('error.unexpected')).toEqual([])
  })

  test('a signal reaches a listener that subscribes right after the last listener has unsubscribed', async () => {
    const [signals, others] = [ownSignals(), ownSignals()]
    const received: string[] = []
    const receivedByOthers: string[] = []
    await listenTo(others, receivedByOthers)
    const unlisten = await listenTo(signals, [])
    unlisten()
    await listenTo(signals, received)
    const publishOnce = async () => {
      others.publish('ended', [UNKNOWN_ID])
      return received.length > 0 || receivedByOthers.length > 10
    }
    await until(publishOnce, Boolean)
    expect(received).toContain(UNKNOWN_ID)
  })

  test.each(['51', '-1', 'long', 'Infinity'])('?wait=%s is rejected', async (wait) => {
    const { status, body } = await get(`/v1/tasks/${(await waitingTask()).id}?wait=${wait}`)
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('"wait"') },
    })
  })
})

function ownSignals(): Signals {
  const signals = createSignals({ redisUrl: system.redis.url, onError: () => {} })
  onTestFinished(() => signals.stop())
  return signals
}

/**
 * Subscribes to the channel "ended". Resolves with the function that unsubscribes when the subscription is
 * active.
 */
function listenTo(signals: Signals, received: string[]): Promise<() => void> {
  return new Promise((resolve) => {
    const unlisten = signals.listen(
      'ended',
      (ids) => received.push(...ids),
      () => resolve(unlisten),
    )
  })
}
