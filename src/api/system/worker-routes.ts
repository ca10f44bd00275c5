// Routes of workers: a list, drain (the worker claims no more tasks) and resume.
import { Hono } from 'hono'
import type { z } from 'zod'
import { AppError } from '../../base/errors.ts'
import { isUuid } from '../../base/uuidv7.ts'
import type { ListedWorker } from '../../store/worker-store.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { systemOperations as operations } from './system-operations.ts'
import type { worker } from './system-schemas.ts'

export type WorkerView = z.infer<typeof worker>

export function createWorkerRoutes({
  workerStore,
  sharedQueries,
  workerMissingAfterMs,
  admit,
}: ApiDependencies) {
  return new Hono<ApiEnv>()
    .get('/v1/workers', admit(operations.list_workers), async (c) => {
      const rows = await sharedQueries.workers.read()
      return c.json({ data: rows.map(viewOf) })
    })
    .post('/v1/workers/:id/drain', admit(operations.drain_worker), async (c) =>
      c.json(await setDraining(c.req.param('id'), true)),
    )
    .post('/v1/workers/:id/resume', admit(operations.resume_worker), async (c) =>
      c.json(await setDraining(c.req.param('id'), false)),
    )

  async function setDraining(id: string, isDraining: boolean): Promise<WorkerView> {
    const row = isUuid(id) ? await workerStore.setDraining(id, isDraining) : null
    if (!row) throw new AppError('unknown_worker', `There is no worker ${id.slice(0, 64)}`)
    // Discards the cached list of workers, so that the next GET /v1/workers shows this change.
    sharedQueries.workers.invalidate()
    return viewOf(row)
  }

  function viewOf(row: ListedWorker): WorkerView {
    return {
      id: row.id,
      host: row.host,
      pid: row.pid,
      version: row.version,
      queues: row.queues,
      concurrency: row.concurrency,
      isolated_processes: row.isolatedProcesses,
      running: row.running,
      processed: row.processed,
      failed: row.failed,
      leaked: row.leaked,
      started_at: row.startedAt.toISOString(),
      last_beat_at: row.lastBeatAt.toISOString(),
      is_alive: isAlive(row, workerMissingAfterMs),
      is_draining: row.drainRequestedAt !== null,
    }
  }
}

/** Checks whether the worker's last heartbeat is younger than `missingAfterMs`. */
export function isAlive({ sinceHeartbeatMs }: ListedWorker, missingAfterMs: number): boolean {
  return sinceHeartbeatMs < missingAfterMs
}
