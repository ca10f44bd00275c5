// `npm run bench:dashboard` measures the response times of all requests that the page sends, with a million
// finished tasks and a hundred thousand waiting ones. The API is a process of its own, with a real PostgreSQL
// at its default settings; no worker runs.
//
//   --quick   a fiftieth of the tasks, to check that the bench works
//   --write   appends the result to RESULTS.md
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { pause } from '../../src/base/loop.ts'
import { buildRequest, openHttpConnection } from '../http-connection.ts'
import { describeMachine } from '../machine.ts'
import { startWaggleApi } from '../running-system.ts'
import { percentile } from '../statistics.ts'
import { startStores } from '../stores.ts'
import { type DashboardRequest, dashboardRequests } from './requests.ts'
import { type Amounts, seed } from './seed.ts'

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})

const FULL: Amounts = { finished: 1_000_000, waiting: 100_000 }
const QUICK: Amounts = { finished: 20_000, waiting: 2_000 }
const amounts = options.quick ? QUICK : FULL

const SAMPLES = 200
const WARM_UPS = 3
// 200 samples take 10 s, about the request rate of a few open pages.
const SHARED_PAUSE_MS = 50
const GOAL_MS = 100

interface Measured {
  request: DashboardRequest
  /** Ascending; null if the API rejects the request with 400 or 404. */
  durationsMs: number[] | null
}

const log = (line: string) => process.stderr.write(`${line}\n`)
const stores = await startStores()
try {
  const store = await stores.open('dashboard')
  const api = await startWaggleApi(store)
  try {
    const landmarks = await seed(store.databaseUrl, amounts, log)
    const measured: Measured[] = []
    for (const request of dashboardRequests(landmarks)) {
      log(`${request.view}: ${request.name}`)
      measured.push(await measure(api.port, request))
    }
    publish(measured, describeMachine({ postgres: stores.postgresVersion, redis: store.redisVersion }))
  } finally {
    await api.stop()
    await store.close()
  }
} finally {
  await stores.stop()
}

async function measure(port: number, request: DashboardRequest): Promise<Measured> {
  const connection = await openHttpConnection(port)
  const bytes = buildRequest('GET', request.path)
  const durationsMs: number[] = []
  try {
    for (let n = -WARM_UPS; n < SAMPLES; n++) {
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

function publish(measured: Measured[], machine: string) {
  const rows = measured.map(({ request, durationsMs }) => [
    `${request.view}: ${request.name}`,
    ...[50, 95, 100].map((percent) => (durationsMs ? percentile(durationsMs, percent).toFixed(1) : '-')),
  ])
  const known = measured.flatMap(({ durationsMs }) => (durationsMs ? [percentile(durationsMs, 95)] : []))
  const text = [
    `${machine}; ${amounts.finished} finished and ${amounts.waiting} waiting tasks, ${SAMPLES} requests each, one after the other`,
    '',
    ...tableOf([['dashboard, ms', 'p50', 'p95', 'slowest'], ...rows]),
    '',
    `- The slowest p95: ${Math.max(...known).toFixed(1)} ms (goal: under ${GOAL_MS})`,
    '',
  ].join('\n')
  process.stdout.write(`\n${text}`)
  if (!options.write) return
  const heading = `## ${new Date().toISOString().slice(0, 10)}, requests of the page`
  appendFileSync(new URL('../RESULTS.md', import.meta.url), `\n${heading}\n\n${text}`)
}

function tableOf([head = [], ...body]: string[][]): string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((row) => row[column]?.length ?? 0), 3),
  )
  const line = (row: string[]) =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)]
}
