// A client of a stack, through nginx.
import { type Agent, request } from 'node:http'
import { pause } from '../../../src/base/loop.ts'
import type { Stack } from './stack.ts'

export interface Reply {
  /** 0 where there was no answer at all. */
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  body: never
}

export interface Client extends Pick<Stack, 'url' | 'apiKey'> {
  /** Keeps connections; without one every request has its own, as from many clients. */
  agent?: Agent
}

export function ask(
  { url, apiKey, agent }: Client,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const outgoing = request({
      hostname,
      port,
      // As it is, and not as a URL would have it.
      path,
      method,
      agent: agent ?? false,
      headers: {
        Authorization: `Bearer ${apiKey}`,
        ...(text !== undefined && {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(text),
        }),
        ...headers,
      },
    })
    const fail = (error: Error) =>
      resolve({ status: 0, headers: {}, text: error.message, body: null as never })
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      let answer = ''
      incoming.on('data', (chunk) => (answer += chunk))
      incoming.on('error', fail)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: answer,
          body: parsed(answer) as never,
        }),
      )
    })
    outgoing.end(text)
  })
}

export interface Submissions {
  /** Ids of what was answered 202. */
  accepted: string[]
  /** How often each other status came; 0 for no answer. */
  refused: Record<number, number>
}

/** Submits until so many are accepted or it is told to stop: `perSecond`, each without waiting for the others. */
export async function submitSteadily(
  client: Client,
  {
    perSecond,
    count = Number.POSITIVE_INFINITY,
    task = { name: 'reverse', input: { text: 'ab' } },
    stopping,
  }: {
    perSecond: number
    count?: number
    task?: { name: string; input: unknown }
    stopping?: AbortSignal
  },
): Promise<Submissions> {
  const result: Submissions = { accepted: [], refused: {} }
  const underWay = new Set<Promise<void>>()
  const startedMs = Date.now()
  const deadlineMs = startedMs + 180_000
  let sent = 0
  while (result.accepted.length + underWay.size < count && !stopping?.aborted && Date.now() < deadlineMs) {
    const one = ask(client, 'POST', `/v1/tasks/${task.name}`, { input: task.input }).then(
      ({ status, body }) => {
        if (status === 202) result.accepted.push((body as { id: string }).id)
        else result.refused[status] = (result.refused[status] ?? 0) + 1
        underWay.delete(one)
      },
    )
    underWay.add(one)
    sent++
    // By the clock, so that the rate is what it is said to be whatever each takes.
    await pause(Math.max(0, startedMs + (sent * 1_000) / perSecond - Date.now()))
  }
  await Promise.all(underWay)
  if (result.accepted.length >= count || stopping?.aborted) return result
  // Some of the last were refused.
  if (Date.now() >= deadlineMs) return result
  const left = count - result.accepted.length
  const rest = await submitSteadily(client, { perSecond, count: left, task, stopping })
  for (const [status, times] of Object.entries(rest.refused))
    result.refused[Number(status)] = (result.refused[Number(status)] ?? 0) + times
  return { accepted: [...result.accepted, ...rest.accepted], refused: result.refused }
}

export interface EndedTask {
  id: string
  status: string
  attempt: number
  is_final: boolean
  result: unknown
}

/** Waits until all of them have ended. */
export async function untilEnded(stack: Stack, ids: string[], seconds = 90): Promise<EndedTask[]> {
  const ended: EndedTask[] = []
  const deadlineMs = Date.now() + seconds * 1_000
  for (const id of ids) {
    for (;;) {
      const { status, body } = await ask(stack, 'GET', `/v1/tasks/${id}?wait=5`)
      const task = body as EndedTask
      if (status === 200 && task.is_final) {
        ended.push(task)
        break
      }
      if (Date.now() > deadlineMs)
        throw new Error(`Task ${id} has not ended: ${status} ${JSON.stringify(body)}`)
      await pause(50)
    }
  }
  return ended
}

export interface ListedWorker {
  /** The beginning of its container's id. */
  host: string
  version: string
  is_alive: boolean
}

/**
 * Waits until the workers are as wanted. Half a minute: one that was killed counts as alive for half of that, and is
 * listed for ten minutes.
 */
export async function untilWorkers(
  stack: Stack,
  areReached: (workers: ListedWorker[]) => boolean,
): Promise<void> {
  await untilAnswer(
    () => ask(stack, 'GET', '/v1/workers'),
    ({ body }) => areReached((body as { data: ListedWorker[] }).data),
    30,
  )
}

/** Asks until the answer is as wanted. */
export async function untilAnswer(
  ask: () => Promise<Reply>,
  isReached: (reply: Reply) => boolean,
  seconds = 60,
): Promise<Reply> {
  const deadlineMs = Date.now() + seconds * 1_000
  for (;;) {
    const reply = await ask()
    if (isReached(reply)) return reply
    if (Date.now() > deadlineMs)
      throw new Error(`not reached in ${seconds} seconds: ${reply.status} ${reply.text}`)
    await pause(200)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
