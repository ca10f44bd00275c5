// Measures the requests of the page on a database with many finished tasks.
import { formatRequests, measureRequests, slowestP95 } from '../dashboard/measure.ts'
import { findLandmarks, seedForPage } from '../dashboard/seed.ts'
import { startWaggleApi } from '../running-system.ts'
import { withClient } from './flood.ts'
import type { Context, Section } from './plan.ts'

// Only failed tasks of the last two days get attempts and logs.
const LOGS_MS = 2 * 86_400_000
// Upper bound for the p95 of each request.
const LIMIT_MS = 50

export async function measureDashboard(context: Context): Promise<Section> {
  const { dashboard, sizes } = context.amounts
  const store = await context.openLarge()
  const landmarks = await withClient(store, async (client) => {
    await seedForPage(client, { waiting: dashboard.waitingTasks, sinceMs: Date.now() - LOGS_MS })
    return findLandmarks(client)
  })
  const api = await startWaggleApi(store)
  try {
    const { samples } = dashboard
    const measured = await measureRequests(api.port, landmarks, { samples, log: context.log })
    const p95 = slowestP95(measured)
    return {
      title: `Requests of the page with ${sizes.finishedTasks} finished tasks`,
      lines: [
        `${dashboard.waitingTasks} waiting tasks, no worker; ${samples} requests each, one after the other`,
        '',
        ...formatRequests(measured),
      ],
      bounds: [
        { text: `the slowest p95 is ${p95.toFixed(1)} ms (under ${LIMIT_MS})`, isMet: p95 < LIMIT_MS },
      ],
    }
  } finally {
    await api.stop()
  }
}
