// Submits tasks over HTTP, and waits for them.
import type pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { buildRequest, openHttpConnection } from '../http-connection.ts'

const CONNECTIONS = 64
const BATCH = 1_000
const POLL_MS = 100

/** Submits one task per request, over 64 connections. @returns the submissions per second */
export async function submitOneByOne(
  port: number,
  { name, count, inputOf }: { name: string; count: number; inputOf: (index: number) => object },
): Promise<number> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openHttpConnection(port)))
  const startedAt = performance.now()
  let next = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const body = JSON.stringify({ input: inputOf(next++) })
        const { status } = await connection.exchange(buildRequest('POST', `/v1/tasks/${name}`, body))
        if (status !== 202) throw new Error(`A submission got status ${status}`)
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  for (const connection of connections) connection.close()
  return count / seconds
}

export interface Submitted {
  ids: string[]
  perSecond: number
}

/** Submits tasks in batches of 1,000, one batch after the other. */
export async function submitInBatches(
  port: number,
  { name, count, inputOf }: { name: string; count: number; inputOf: (index: number) => object },
): Promise<Submitted> {
  const startedAt = performance.now()
  const ids: string[] = []
  for (let from = 0; from < count; from += BATCH) {
    const tasks = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => ({
      name,
      input: inputOf(from + index),
    }))
    const response = await fetch(`http://127.0.0.1:${port}/v1/tasks/batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ tasks }),
    })
    const { accepted, items } = (await response.json()) as Batch
    if (accepted !== tasks.length) throw new Error(`${accepted} of ${tasks.length} tasks were accepted`)
    ids.push(...items.map(({ id }) => id))
  }
  return { ids, perSecond: (1_000 * count) / (performance.now() - startedAt) }
}

/** The response to a batch without a rejected task. */
interface Batch {
  accepted: number
  items: { id: string }[]
}

/**
 * Waits until workers have run this many attempts since their start, by their heartbeats. This query costs nothing,
 * unlike one that counts tasks.
 * @throws Error after `limitMs`
 */
export function untilProcessed(client: pg.Client, options: WaitOptions): Promise<void> {
  return untilCount(client, 'select coalesce(sum(processed), 0)::int as count from workers', [], options)
}

/** Waits until these tasks have started. @throws Error after `limitMs` */
export function untilStarted(client: pg.Client, ids: string[], options: Omit<WaitOptions, 'count'>) {
  const query =
    'select count(*)::int as count from tasks where id = any($1::uuid[]) and started_at is not null'
  return untilCount(client, query, [ids], { ...options, count: ids.length })
}

export interface WaitOptions {
  count: number
  limitMs: number
  signal: AbortSignal
}

async function untilCount(
  client: pg.Client,
  query: string,
  values: unknown[],
  { count, limitMs, signal }: WaitOptions,
): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const { rows } = await client.query<{ count: number }>(query, values)
    const reached = rows[0]?.count ?? 0
    if (reached >= count) return
    if (Date.now() > deadline) throw new Error(`${reached} of ${count} tasks after ${limitMs / 1_000} s`)
    await pause(POLL_MS, signal)
    signal.throwIfAborted()
  }
}
