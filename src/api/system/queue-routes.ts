// Routes of queues: a list with the lengths and the number of workers of each queue, pause and resume, and limits.
import { Hono } from 'hono'
import type { z } from 'zod'
import { AppError } from '../../base/errors.ts'
import { QUEUE_NAME } from '../../config.ts'
import type { Limits } from '../../definitions/limits.ts'
import type { KeyCount } from '../../store/held/held-reader.ts'
import type { QueueSummary } from '../../store/queue-store.ts'
import type { ListedWorker } from '../../store/worker-store.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { query } from '../http/request-query.ts'
import { systemOperations as operations } from './system-operations.ts'
import { type queue, queueLimits } from './system-schemas.ts'
import { isAlive } from './worker-routes.ts'

export type QueueView = z.infer<typeof queue>

export function createQueueRoutes(dependencies: ApiDependencies) {
  const { registry, queueStore, heldReader, signals, sharedQueries, workerMissingAfterMs, admit } =
    dependencies

  return new Hono<ApiEnv>()
    .get('/v1/queues', admit(operations.list_queues), async (c) => c.json({ data: await listQueues() }))
    .post('/v1/queues/:name/pause', admit(operations.pause_queue), async (c) => {
      const name = queueName(c.req.param('name'))
      await queueStore.pause(name)
      sharedQueries.queues.invalidate()
      return c.json(await viewOf(name))
    })
    .post('/v1/queues/:name/resume', admit(operations.resume_queue), async (c) => {
      const name = queueName(c.req.param('name'))
      await queueStore.resume(name)
      sharedQueries.queues.invalidate()
      return c.json(await viewOf(name))
    })
    .put('/v1/queues/:name/limits', admit(operations.set_queue_limits), jsonBody(queueLimits), async (c) => {
      const name = queueName(c.req.param('name'))
      await queueStore.setLimits(name, limitsOfBody(c.req.valid('json')))
      signals.publish('held', [name])
      sharedQueries.queues.invalidate()
      return c.json(await viewOf(name))
    })
    .get('/v1/keys', admit(operations.list_keys), query(operations.list_keys.query), async (c) => {
      const { limit, ...filter } = c.req.valid('query')
      const rows = await heldReader.keys(filter, limit)
      return c.json({ data: rows.map(viewOfKey) })
    })

  /**
   * Lists the queues of all definitions and of live workers that are not draining, queues with unfinished
   * tasks, and paused queues.
   * @param alsoName name of a queue that is always listed: the one that the request has paused or resumed
   */
  async function listQueues(alsoName?: string): Promise<QueueView[]> {
    const [{ queues, countedAt }, workers] = await Promise.all([
      sharedQueries.queues.read(),
      sharedQueries.workers.read(),
    ])
    const live = workers.filter((row) => isAlive(row, workerMissingAfterMs) && row.drainRequestedAt === null)
    const names = new Set([
      ...registry.all.map(({ queue }) => queue),
      ...live.flatMap(({ queues }) => queues),
      ...queues.map(({ name }) => name),
      ...(alsoName === undefined ? [] : [alsoName]),
    ])
    return [...names].sort().map((name) =>
      viewOfQueue(
        name,
        queues.find((summary) => summary.name === name),
        countedAt,
        live,
      ),
    )
  }

  async function viewOf(name: string): Promise<QueueView> {
    const view = (await listQueues(name)).find((queue) => queue.name === name)
    if (!view) throw new Error(`the list of queues does not contain ${name}`)
    return view
  }
}

function viewOfQueue(
  name: string,
  summary: QueueSummary | undefined,
  countedAt: Date,
  live: ListedWorker[],
): QueueView {
  const { waiting = 0, running = 0, held = 0, oldestWaitingMs = null } = summary ?? {}
  const { pausedAt = null, limits = null } = summary ?? {}
  return {
    name,
    waiting,
    running,
    held,
    limits: limits && bodyOfLimits(limits),
    oldest_waiting_seconds: oldestWaitingMs === null ? null : oldestWaitingMs / 1_000,
    counted_at: countedAt.toISOString(),
    is_paused: pausedAt !== null,
    paused_at: pausedAt?.toISOString() ?? null,
    workers: live.filter(({ queues }) => queues.includes(name)).length,
  }
}

function limitsOfBody({ concurrency, rate_limit }: z.infer<typeof queueLimits>): Limits | null {
  if (concurrency === null && rate_limit === null) return null
  const rate = rate_limit && { limit: rate_limit.limit, perMs: Math.round(rate_limit.per_seconds * 1_000) }
  return { concurrency, rate }
}

function bodyOfLimits({ concurrency, rate }: Limits): z.infer<typeof queueLimits> {
  return { concurrency, rate_limit: rate && { limit: rate.limit, per_seconds: rate.perMs / 1_000 } }
}

function viewOfKey({ concurrencyKey, rateKey, ...rest }: KeyCount) {
  return { ...rest, concurrency_key: concurrencyKey, rate_key: rateKey }
}

function queueName(text: string): string {
  if (QUEUE_NAME.test(text)) return text
  throw new AppError('not_found', `"${text.slice(0, 64)}" is not a valid queue name`)
}
