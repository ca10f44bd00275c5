// Routes of queues: a list with the lengths and the number of workers of each queue, pause and resume.
import { Hono } from 'hono'
import type { z } from 'zod'
import { AppError } from '../../base/errors.ts'
import { QUEUE_NAME } from '../../config.ts'
import type { QueueSummary } from '../../store/queue-store.ts'
import type { ListedWorker } from '../../store/worker-store.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { systemOperations as operations } from './system-operations.ts'
import type { queue } from './system-schemas.ts'
import { isAlive } from './worker-routes.ts'

export type QueueView = z.infer<typeof queue>

export function createQueueRoutes(dependencies: ApiDependencies) {
  const { registry, queueStore, sharedQueries, workerMissingAfterMs, admit } = dependencies

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
  const { waiting = 0, running = 0, oldestWaitingMs = null, pausedAt = null } = summary ?? {}
  return {
    name,
    waiting,
    running,
    oldest_waiting_seconds: oldestWaitingMs === null ? null : oldestWaitingMs / 1_000,
    counted_at: countedAt.toISOString(),
    is_paused: pausedAt !== null,
    paused_at: pausedAt?.toISOString() ?? null,
    workers: live.filter(({ queues }) => queues.includes(name)).length,
  }
}

function queueName(text: string): string {
  if (QUEUE_NAME.test(text)) return text
  throw new AppError('not_found', `"${text.slice(0, 64)}" is not a valid queue name`)
}
