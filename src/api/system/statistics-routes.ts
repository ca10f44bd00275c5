// GET /v1/stats: statistics of a time window, which ends now and whose length is a query parameter.
import { Hono } from 'hono'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { query } from '../http/request-query.ts'
import { statisticsOf } from './statistics.ts'
import { systemOperations as operations } from './system-operations.ts'

export function createStatisticsRoutes({ sharedQueries, admit }: ApiDependencies) {
  return new Hono<ApiEnv>().get(
    '/v1/stats',
    admit(operations.get_statistics),
    query(operations.get_statistics.query),
    async (c) => {
      const { window } = c.req.valid('query')
      const [activity, { queues }] = await Promise.all([
        sharedQueries.activity(window),
        sharedQueries.queues.read(),
      ])
      return c.json(statisticsOf(activity, queues, window))
    },
  )
}
