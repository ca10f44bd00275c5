// What there is to watch: workers and statistics.
import { Hono } from 'hono'
import type { z } from 'zod'
import type { ListedWorker } from '../store/worker-store.ts'
import type { ApiDependencies } from './dependencies.ts'
import type { worker } from './monitoring-schemas.ts'
import type { ApiEnv } from './request-context.ts'
import { statisticsOf } from './statistics.ts'
import { query, statsQuery } from './task-requests.ts'

export function createMonitoringRoutes({ looks, workerSilentMs, admit }: ApiDependencies) {
  return new Hono<ApiEnv>()
    .get('/workers', admit('read'), async (c) => {
      const workers = await looks.workers.see()
      return c.json({ data: workers.map((row) => viewOfWorker(row, workerSilentMs)) })
    })
    .get('/stats', admit('read'), query(statsQuery), async (c) => {
      const { window } = c.req.valid('query')
      const [activity, queues] = await Promise.all([looks.activity(window), looks.queues.see()])
      return c.json(statisticsOf(activity, queues, window))
    })
}

function viewOfWorker(row: ListedWorker, silentMs: number): z.infer<typeof worker> {
  return {
    id: row.id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    queues: row.queues,
    concurrency: row.concurrency,
    running: row.running,
    processed: row.processed,
    failed: row.failed,
    started_at: row.startedAt.toISOString(),
    last_beat_at: row.lastBeatAt.toISOString(),
    is_alive: row.silentForMs < silentMs,
  }
}
