// An HTTP client for a stack, through nginx.
import { type Agent, request } from 'node:http'
import { request as requestByTls } from 'node:https'
import { pause } from '../../../src/base/loop.ts'
import type { Stack } from './stack.ts'

export interface ClientResponse {
  /** 0 if there was no response. */
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  body: never
}

export interface Client extends Pick<Stack, 'url' | 'apiKey'> {
  /** Keeps connections open. Without an agent every request opens a new connection, as with many clients. */
  agent?: Agent
  /**
   * For HTTPS: the root certificate that is trusted, and the name that the certificate of the server must
   * have.
   */
  tls?: { ca: string; servername: string }
}

export function send(
  { url, apiKey, agent, tls }: Client,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ClientResponse> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const outgoing = (tls ? requestByTls : request)({
      ...tls,
      hostname,
      port,
      // Unchanged: URL would normalize it.
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
      let received = ''
      incoming.on('data', (chunk) => (received += chunk))
      incoming.on('error', fail)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: received,
          body: parsed(received) as never,
        }),
      )
    })
    outgoing.end(text)
  })
}

export interface Submissions {
  /** Ids of the tasks with the response 202. */
  accepted: string[]
  /** Counts of the other responses by status; 0 stands for no response. */
  refused: Record<number, number>
}

/**
 * Submits `perSecond` tasks per second, each without waiting for the others, until `count` are accepted or
 * `stopping` is aborted, for at most 180 s.
 */
export async function submitAtRate(
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
  const pending = new Set<Promise<void>>()
  const startedMs = Date.now()
  const deadlineMs = startedMs + 180_000
  let sent = 0
  while (result.accepted.length + pending.size < count && !stopping?.aborted && Date.now() < deadlineMs) {
    const submission = send(client, 'POST', `/v1/tasks/${task.name}`, { input: task.input }).then(
      ({ status, body }) => {
        if (status === 202) result.accepted.push((body as { id: string }).id)
        else result.refused[status] = (result.refused[status] ?? 0) + 1
        pending.delete(submission)
      },
    )
    pending.add(submission)
    sent++
    // Pause until the time at which the next submission is due, so that the rate does not depend on response
    // times.
    await pause(Math.max(0, startedMs + (sent * 1_000) / perSecond - Date.now()))
  }
  await Promise.all(pending)
  if (result.accepted.length >= count || stopping?.aborted) return result
  if (Date.now() >= deadlineMs) return result
  // Some of the last submissions were refused: submit as many again.
  const left = count - result.accepted.length
  const rest = await submitAtRate(client, { perSecond, count: left, task, stopping })
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

/** Waits until all tasks have ended. @throws after `seconds` */
export async function untilEnded(stack: Client, ids: string[], seconds = 90): Promise<EndedTask[]> {
  const ended: EndedTask[] = []
  const deadlineMs = Date.now() + seconds * 1_000
  for (const id of ids) {
    for (;;) {
      const { status, body } = await send(stack, 'GET', `/v1/tasks/${id}?wait=5`)
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
  /** The beginning of the container's id. */
  host: string
  version: string
  is_alive: boolean
}

/**
 * Waits up to 30 s until the list of workers fulfils a condition. A killed worker counts as alive for up to
 * 15 s and stays listed for ten minutes.
 */
export async function untilWorkers(
  stack: Stack,
  areReached: (workers: ListedWorker[]) => boolean,
): Promise<void> {
  await untilResponse(
    () => send(stack, 'GET', '/v1/workers'),
    ({ body }) => areReached((body as { data: ListedWorker[] }).data),
    30,
  )
}

/**
 * Repeats a request until its response fulfils a condition. @throws after `seconds`, with the last response
 */
export async function untilResponse(
  request: () => Promise<ClientResponse>,
  isReached: (response: ClientResponse) => boolean,
  seconds = 60,
): Promise<ClientResponse> {
  const deadlineMs = Date.now() + seconds * 1_000
  for (;;) {
    const response = await request()
    if (isReached(response)) return response
    if (Date.now() > deadlineMs)
      throw new Error(
        `the condition was not met within ${seconds} seconds: ${response.status} ${response.text}`,
      )
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
