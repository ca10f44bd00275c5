// Statistics.
import { Hono } from 'hono'
import type { z } from 'zod'
import type { Stats } from '../store/task-reader.ts'
import type { ApiDependencies } from './dependencies.ts'
import type { statistics } from './monitoring-schemas.ts'
import type { ApiEnv } from './request-context.ts'
import { shared } from './shared.ts'
import { query, statsQuery } from './task-requests.ts'

export function createMonitoringRoutes({ taskReader, admit }: ApiDependencies) {
  const statsOf = shared((windowSeconds: number) =>
    taskReader.stats(new Date(Date.now() - windowSeconds * 1_000)),
  )

  return new Hono<ApiEnv>().get('/stats', admit('read'), query(statsQuery), async (c) => {
    const { window } = c.req.valid('query')
    return c.json(viewOfStats(await statsOf.get(window), window))
  })
}

function viewOfStats(stats: Stats, windowSeconds: number): z.infer<typeof statistics> {
  return {
    window_seconds: windowSeconds,
    by_status: {
      PENDING: 0,
      STARTED: 0,
      RETRY: 0,
      SUCCESS: 0,
      FAILURE: 0,
      CANCELLED: 0,
      ...stats.byStatus,
    },
    waiting: stats.waiting,
    running: stats.running,
    oldest_waiting_seconds: stats.oldestWaitingMs === null ? null : stats.oldestWaitingMs / 1_000,
    wait_ms: stats.waitMs,
    run_ms: stats.runMs,
  }
}
