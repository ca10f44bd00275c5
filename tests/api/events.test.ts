// Following a task: server-sent events and long polls, and what they cost.
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

interface Following {
  response: Response
  events: EventSourceMessage[]
  comments: string[]
  tasks(): TaskView[]
  /** Resolves when the API has ended the stream. */
  ended: Promise<void>
  leave(): void
}

async function follow(id: string, lastEventId?: string, url = system.url): Promise<Following> {
  const leaving = new AbortController()
  const response = await fetch(`${url}/v1/tasks/${id}/events`, {
    headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
    signal: leaving.signal,
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
    leave: () => leaving.abort(),
  }

  async function read() {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
    } catch (error) {
      if (!leaving.signal.aborted) throw error
    }
  }
}

describe('server-sent events', () => {
  test('tell how the task is, every change of status and progress, and its end, and then they end', async () => {
    const { id } = await system.submit('divide', { x: 10, y: 4 })
    const following = await follow(id)
    expect(following.response.status).toBe(200)
    expect(following.response.headers.get('Content-Type')).toMatch(/^text\/event-stream/)
    expect(following.response.headers.get('X-Accel-Buffering')).toBe('no')
    expect(following.response.headers.get('Cache-Control')).toContain('no-cache')
    await following.ended
    const tasks = following.tasks()
    expect(following.events.every(({ event }) => event === 'task')).toBe(true)
    expect(tasks.at(-1)).toMatchObject({ id, status: 'SUCCESS', result: { quotient: 2.5 }, is_final: true })
    const fractions = tasks.map(({ progress }) => progress.fraction)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    // About five seconds of work, told once a second.
    expect(new Set(fractions).size).toBeGreaterThanOrEqual(4)
    const versions = following.events.map(({ id: version }) => Number(version))
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b))
  })

  test('of a task that has ended are one event', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.taskWhenFinal(id)
    const following = await follow(id)
    await following.ended
    expect(following.tasks()).toMatchObject([{ id, status: 'SUCCESS' }])
  })

  test('go on where somebody left: what was seen is not told again', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const first = await follow(id)
    await until(
      async () => first.events.length,
      (count) => count === 1,
    )
    first.leave()
    const second = await follow(id, first.events[0]?.id)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    await second.ended
    expect(second.tasks().map(({ status }) => status)).toEqual(['CANCELLED'])
  })

  test('who has seen the end is told not to come again', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.taskWhenFinal(id)
    const first = await follow(id)
    await first.ended
    const second = await follow(id, first.events[0]?.id)
    expect(second.response.status).toBe(204)
  })

  test('of a task that was put back by hand go on to its next end', async () => {
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
    ['no id at all', 'nonsense'],
  ])('of %s are 404', async (_what, id) => {
    const { response } = await follow(id)
    expect(response.status).toBe(404)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  })

  test('are not begun for whoever asks for the headers alone, and nothing of it stays', async () => {
    const own = await startSystem({ worker: false })
    const { id } = await own.submit('reverse', { text: 'ab' })
    for (let count = 0; count < 5; count++) {
      const { status, headers } = await own.request('HEAD', `/v1/tasks/${id}/events`)
      expect([status, headers.get('Content-Type')]).toEqual([200, 'text/event-stream'])
    }
    const queries = countQueries(own.connections.database)
    await until(
      async () => queries.quietSeconds(),
      (seconds) => seconds >= 3,
    )
    // One round in which nobody was found to watch.
    expect(queries.inQuietSeconds()).toBeLessThanOrEqual(1)
    queries.stop()
    await own.stop()
  })

  test('tell each who follows what he has not seen, whoever else has seen it already', async () => {
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

  test('say something every 15 seconds, so that no proxy takes them for dead', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const following = await follow(id)
    await until(
      async () => following.comments.length,
      (count) => count === 1,
    )
    following.leave()
  })

  test('do not hold up the end of the API', async () => {
    const own = await startSystem({ worker: false })
    const task = await own.submit('reverse', { text: 'ab' })
    const response = await fetch(`${own.url}/v1/tasks/${task.id}/events`)
    await own.stop()
    // Ended in order, not cut.
    expect(await response.text()).toContain('event: task')
  })
})

describe('a long poll', () => {
  test('ends with the task', async () => {
    const { id } = await system.submit('sleep', { ms: 300 })
    const { body } = await system.request('GET', `/v1/tasks/${id}?wait=30`)
    expect(body).toMatchObject({ status: 'SUCCESS', is_final: true })
  })

  test('ends with the time that was asked for, and shows the task as it is', async () => {
    const { id } = await system.submit('sleep', { ms: 60_000 })
    const { status, body } = await system.request('GET', `/v1/tasks/${id}?wait=1.5`)
    expect([status, (body as TaskView).status]).toEqual([200, 'STARTED'])
    await system.request('POST', `/v1/tasks/${id}/cancel`)
  })

  test('of what the caller knows already is 304', async () => {
    const { id } = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 3_600 })
    const { headers } = await system.request('GET', `/v1/tasks/${id}`)
    const known = { 'If-None-Match': headers.get('ETag') ?? '' }
    const again = await system.request('GET', `/v1/tasks/${id}?wait=1`, undefined, known)
    expect([again.status, again.body]).toEqual([304, ''])
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect((await system.request('GET', `/v1/tasks/${id}`, undefined, known)).status).toBe(200)
  })
})

test('a thousand who wait cost one query a second, and all are told of the end', async () => {
  // Without a worker: its own statements are not to be counted.
  const own = await startSystem({ worker: false })
  const tasks = await Promise.all(Array.from({ length: 100 }, () => own.submit('reverse', { text: 'ab' })))
  const ids = tasks.map(({ id }) => id)
  const queries = countQueries(own.connections.database)
  const waiting = Array.from({ length: 10 }, () => ids)
    .flat()
    .map(async (id, index) => {
      if (index % 2) return (await own.request('GET', `/v1/tasks/${id}?wait=50`)).body as TaskView
      const following = await follow(id, undefined, own.url)
      await following.ended
      return following.tasks().at(-1)
    })
  await until(
    async () => queries.quietSeconds(),
    (seconds) => seconds >= 5,
  )
  // Five quiet seconds, once everybody has come: a look each, and none for any one of the thousand.
  expect(queries.inQuietSeconds()).toBeLessThanOrEqual(6)
  queries.stop()
  await own.connections.taskStore.cancelMany(ids)
  own.connections.signals.announce('ended', ids)
  const answers = await Promise.all(waiting)
  expect(answers.filter((task) => task?.status === 'CANCELLED')).toHaveLength(1_000)
  await own.stop()
})

/** Counts what is asked of the database from here on. */
function countQueries(database: Database) {
  const { use, query } = database
  const atMs: number[] = []
  let sinceMs = Date.now()
  database.use = (work) => {
    atMs.push(Date.now())
    return use(work)
  }
  database.query = (...statement) => {
    atMs.push(Date.now())
    return query(...statement)
  }
  return {
    /** Seconds since there were last two statements within half a second. */
    quietSeconds() {
      sinceMs = atMs.findLast((ms, index) => ms - (atMs[index - 1] ?? 0) < 500) ?? sinceMs
      return (Date.now() - sinceMs) / 1_000
    },
    inQuietSeconds: () => atMs.filter((ms) => ms > sinceMs).length,
    stop() {
      Object.assign(database, { use, query })
    },
  }
}
