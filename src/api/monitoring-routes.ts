// Statistics.
import { Hono } from 'hono'
import type { ApiDependencies } from './dependencies.ts'
import type { ApiEnv } from './request-context.ts'
import { statisticsOf } from './statistics.ts'
import { query, statsQuery } from './task-requests.ts'

export function createMonitoringRoutes({ looks, admit }: ApiDependencies) {
  return new Hono<ApiEnv>().get('/stats', admit('read'), query(statsQuery), async (c) => {
    const { window } = c.req.valid('query')
    const [activity, queues] = await Promise.all([looks.activity(window), looks.queues.see()])
    return c.json(statisticsOf(activity, queues, window))
  })
}
