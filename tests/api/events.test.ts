// Server-sent events and long polls of a task, and the number of queries that they need.
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { newId } from '../../src/base/uuidv7.ts'
import type { Database } from '../../src/store/database.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: createTestDefinitions(), worker: { concurrency: 50 } })
})
afterAll(() => system.stop())

interface EventStream {
  response: Response
  events: EventSourceMessage[]
  comments: string[]
  tasks(): TaskView[]
  /** Resolves when the API has ended the stream. */
  ended: Promise<void>
  close(): void
}

async function follow(id: string, lastEventId?: string, url = system.url): Promise<EventStream> {
  const controller = new AbortController()
  const response = await fetch(`${url}/v1/tasks/${id}/events`, {
    headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
    signal: controller.signal,
  })
  const events: EventSourceMessage[] = []
  const comments: string[] = []
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => comments.push(comment),
  })
  return {
    response,
    events,
    comments,
    tasks: () => events.map(({ data }) => JSON.parse(data)),
    ended: read(),
    close: () => controller.abort(),
  }

  async function read() {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
    } catch (error) {
      if (!controller.signal.aborted) throw error
    }
  }
}

describe('server-sent events', () => {
  test('contain the task, each change of status and progress, and its end, and then the stream ends', async () => {
    const { id } = await system.submit('divide', { x: 10, y: 4 })
    const stream = await follow(id)
    expect(stream.response.status).toBe(200)
    expect(stream.response.headers.get('Content-Type')).toMatch(/^text\/event-stream/)
    expect(stream.response.headers.get('X-Accel-Buffering')).toBe('no')
    expect(stream.response.headers.get('Cache-Control')).toContain('no-cache')
    await stream.ended
    const tasks = stream.tasks()
    expect(stream.events.every(({ event }) => event === 'task')).toBe(true)
    expect(tasks.at(-1)).toMatchObject({ id, status: 'SUCCESS', result: { quotient: 2.5 }, is_final: true })
    const fractions = tasks.map(({ progress }) => progress.fraction)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    // The task takes about five seconds, and its progress is sent once a second.
    expect(new Set(fractions).size).toBeGreaterThanOrEqual(4)
    const versions = stream.events.map(({ id: version }) => Number(version))
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b))
  })

  test('of a finished task are a single event', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.taskWhenFinal(id)
    const stream = await follow(id)
    await stream.ended
    expect(stream.tasks()).toMatchObject([{ id, status: 'SUCCESS' }])
  })

  test('continue after Last-Event-ID without repeating events', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const first = await follow(id)
    await until(
      async () => first.events.length,
      (count) => count === 1,
    )
    first.close()
    const second = await follow(id, first.events[0]?.id)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    await second.ended
    expect(second.tasks().map(({ status }) => status)).toEqual(['CANCELLED'])
  })

  test('end with 204 for a client that already has the last event', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.taskWhenFinal(id)
    const first = await follow(id)
    await first.ended
    const second = await follow(id, first.events[0]?.id)
    expect(second.response.status).toBe(204)
  })

  test('of a task that was retried continue to its next end', async () => {
    const { id } = await system.submit('divide', { x: 1, y: 0 })
    await system.taskWhenFinal(id)
    const first = await follow(id)
    await first.ended
    await system.request('POST', `/v1/tasks/${id}/retry`)
    const second = await follow(id, first.events[0]?.id)
    await second.ended
    expect(second.tasks().at(-1)).toMatchObject({ status: 'FAILURE', attempt: 2 })
  })

  test.each([
    ['an unknown id', newId()],
    ['an invalid id', 'nonsense'],
  ])('of %s get 404', async (_what, id) => {
    const { response } = await follow(id)
    expect(response.status).toBe(404)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  })

  test('are not started by a HEAD request, which leaves no subscription', async () => {
    const own = await startSystem({ worker: false })
    const { id } = await own.submit('reverse', { text: 'ab' })
    for (let count = 0; count < 5; count++) {
      const { status, headers } = await own.request('HEAD', `/v1/tasks/${id}/events`)
      expect([status, headers.get('Content-Type')]).toEqual([200, 'text/event-stream'])
    }
    const queries = countQueries(own.connections.database.reads)
    await until(
      async () => queries.quietSeconds(),
      (seconds) => seconds >= 3,
    )
    // One round of the watcher that finds no subscription.
    expect(queries.inQuietSeconds()).toBeLessThanOrEqual(1)
    queries.stop()
    await own.stop()
  })

  test('are sent to each client, whichever events other clients have', async () => {
    const { id } = await system.submit('sleep', { ms: 60_000 })
    const first = await follow(id)
    await until(
      async () => first.tasks().at(-1)?.status,
      (status) => status === 'STARTED',
    )
    const second = await follow(id)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    await Promise.all([first.ended, second.ended])
    expect(first.tasks().at(-1)?.status).toBe('CANCELLED')
    expect(second.tasks().at(-1)?.status).toBe('CANCELLED')
  })

  test('contain a comment every 15 seconds, so that no proxy closes the connection', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const stream = await follow(id)
    await until(
      async () => stream.comments.length,
      (count) => count === 1,
    )
    stream.close()
  })

  test('do not delay the shutdown of the API', async () => {
    const own = await startSystem({ worker: false })
    const task = await own.submit('reverse', { text: 'ab' })
    const response = await fetch(`${own.url}/v1/tasks/${task.id}/events`)
    await own.stop()
    // The stream was ended normally: a connection that is cut makes text() reject.
    expect(await response.text()).toContain('event: task')
  })
})

describe('a long poll', () => {
  test('ends when the task finishes', async () => {
    const { id } = await system.submit('sleep', { ms: 300 })
    const { body } = await system.request('GET', `/v1/tasks/${id}?wait=30`)
    expect(body).toMatchObject({ status: 'SUCCESS', is_final: true })
  })

  test('ends after the requested time and returns the unfinished task', async () => {
    const { id } = await system.submit('sleep', { ms: 60_000 })
    const { status, body } = await system.request('GET', `/v1/tasks/${id}?wait=1.5`)
    expect([status, (body as TaskView).status]).toEqual([200, 'STARTED'])
    await system.request('POST', `/v1/tasks/${id}/cancel`)
  })

  test('gets 304 if the task still has the ETag of the request', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const { headers } = await system.request('GET', `/v1/tasks/${id}`)
    const known = { 'If-None-Match': headers.get('ETag') ?? '' }
    const again = await system.request('GET', `/v1/tasks/${id}?wait=1`, undefined, known)
    expect([again.status, again.body]).toEqual([304, ''])
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect((await system.request('GET', `/v1/tasks/${id}`, undefined, known)).status).toBe(200)
  })
})

test('1,000 waiting clients need one query a second, and all get the end', async () => {
  // There is no worker, because its statements would be counted too.
  const own = await startSystem({ worker: false })
  const tasks = await Promise.all(Array.from({ length: 100 }, () => own.submit('reverse', { text: 'ab' })))
  const ids = tasks.map(({ id }) => id)
  const queries = countQueries(own.connections.database.reads)
  const waiting = Array.from({ length: 10 }, () => ids)
    .flat()
    .map(async (id, index) => {
      if (index % 2) return (await own.request('GET', `/v1/tasks/${id}?wait=50`)).body as TaskView
      const stream = await follow(id, undefined, own.url)
      await stream.ended
      return stream.tasks().at(-1)
    })
  await until(
    async () => queries.quietSeconds(),
    (seconds) => seconds >= 5,
  )
  // In five seconds after all clients have connected there is one query a second, and none for a single
  // client.
  expect(queries.inQuietSeconds()).toBeLessThanOrEqual(6)
  queries.stop()
  await own.connections.taskStore.cancelMany(ids)
  own.connections.signals.publish('ended', ids)
  const responses = await Promise.all(waiting)
  expect(responses.filter((task) => task?.status === 'CANCELLED')).toHaveLength(1_000)
  await own.stop()
})

/** Counts the statements that are sent over this lane from now on. */
function countQueries(lane: Database['reads']) {
  const { use, run } = lane
  const atMs: number[] = []
  let sinceMs = Date.now()
  lane.use = (work) => {
    atMs.push(Date.now())
    return use(work)
  }
  lane.run = (...statement) => {
    atMs.push(Date.now())
    return run(...statement)
  }
  return {
    /** Returns the seconds since two statements were last sent within half a second. */
    quietSeconds() {
      sinceMs = atMs.findLast((ms, index) => ms - (atMs[index - 1] ?? 0) < 500) ?? sinceMs
      return (Date.now() - sinceMs) / 1_000
    },
    inQuietSeconds: () => atMs.filter((ms) => ms > sinceMs).length,
    stop() {
      Object.assign(lane, { use, run })
    },
  }
}
