// GET /v1/stats: statistics of a time window, which ends now and whose length is a query parameter.
import { Hono } from 'hono'
import { z } from 'zod'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { decimal, query } from '../http/request-query.ts'
import { statisticsOf } from './statistics.ts'

export const statsQuery = z.strictObject({
  window: decimal(
    z
      .int()
      .min(60)
      .max(7 * 24 * 3_600)
      .default(3_600),
  ),
})

export function createStatisticsRoutes({ sharedQueries, admit }: ApiDependencies) {
  return new Hono<ApiEnv>().get('/v1/stats', admit('read'), query(statsQuery), async (c) => {
    const { window } = c.req.valid('query')
    const [activity, { queues }] = await Promise.all([
      sharedQueries.activity(window),
      sharedQueries.queues.read(),
    ])
    return c.json(statisticsOf(activity, queues, window))
  })
}
