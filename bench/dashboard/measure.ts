// Measures the response times of the requests that the page sends.
import { pause } from '../../src/base/loop.ts'
import { buildRequest, openHttpConnection } from '../http-connection.ts'
import { percentile } from '../statistics.ts'
import { tableOf } from '../table.ts'
import { type DashboardRequest, dashboardRequests, type Landmarks } from './requests.ts'

export interface Measured {
  request: DashboardRequest
  /** Ascending; null if the API rejects the request with 400 or 404. */
  durationsMs: number[] | null
}

const WARM_UPS = 3
// 200 samples take 10 s, about the request rate of a few open pages.
const SHARED_PAUSE_MS = 50

/** Sends each request `samples` times, one after the other. */
export async function measureRequests(
  port: number,
  landmarks: Landmarks,
  { samples, log }: { samples: number; log: (line: string) => void },
): Promise<Measured[]> {
  const measured: Measured[] = []
  for (const request of dashboardRequests(landmarks)) {
    log(`${request.view}: ${request.name}`)
    measured.push(await measure(port, request, samples))
  }
  return measured
}

async function measure(port: number, request: DashboardRequest, samples: number): Promise<Measured> {
  const connection = await openHttpConnection(port)
  const bytes = buildRequest('GET', request.path)
  const durationsMs: number[] = []
  try {
    for (let n = -WARM_UPS; n < samples; n++) {
      const startMs = performance.now()
      const { status, body } = await connection.exchange(bytes)
      if (n >= 0) durationsMs.push(performance.now() - startMs)
      if (status === 400 || status === 404) return { request, durationsMs: null }
      if (status !== 200) throw new Error(`GET ${request.path} responded with ${status}: ${body}`)
      if (request.isShared) await pause(SHARED_PAUSE_MS)
    }
  } finally {
    connection.close()
  }
  return { request, durationsMs: durationsMs.sort((a, b) => a - b) }
}

/** Returns a Markdown table with the percentiles of each request. */
export function formatRequests(measured: Measured[]): string[] {
  const rows = measured.map(({ request, durationsMs }) => [
    `${request.view}: ${request.name}`,
    ...[50, 95, 100].map((percent) => (durationsMs ? percentile(durationsMs, percent).toFixed(1) : '-')),
  ])
  return tableOf([['dashboard, ms', 'p50', 'p95', 'slowest'], ...rows])
}

/** Returns the highest p95 of all requests, in milliseconds. */
export function slowestP95(measured: Measured[]): number {
  return Math.max(
    ...measured.flatMap(({ durationsMs }) => (durationsMs ? [percentile(durationsMs, 95)] : [])),
  )
}
