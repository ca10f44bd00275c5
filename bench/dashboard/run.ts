// `npm run bench:dashboard` measures the response times of all requests that the page sends, with a million
// finished tasks and a hundred thousand waiting ones. The API is a process of its own, with a real PostgreSQL
// at its default settings; no worker runs.
//
//   --quick   a fiftieth of the tasks, to check that the bench works
//   --write   appends the result to RESULTS.md
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { startWaggleApi } from '../running-system.ts'
import { startStores } from '../stores.ts'
import { formatRequests, type Measured, measureRequests, slowestP95 } from './measure.ts'
import { type Amounts, seed } from './seed.ts'

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})

const FULL: Amounts = { finished: 1_000_000, waiting: 100_000 }
const QUICK: Amounts = { finished: 20_000, waiting: 2_000 }
const amounts = options.quick ? QUICK : FULL
const SAMPLES = 200
const GOAL_MS = 100

const log = (line: string) => process.stderr.write(`${line}\n`)
const stores = await startStores()
try {
  const store = await stores.open('dashboard')
  const api = await startWaggleApi(store)
  try {
    const landmarks = await seed(store.databaseUrl, amounts, log)
    const measured = await measureRequests(api.port, landmarks, { samples: SAMPLES, log })
    publish(measured, describeMachine({ postgres: stores.postgresVersion, redis: store.redisVersion }))
  } finally {
    await api.stop()
    await store.close()
  }
} finally {
  await stores.stop()
}

function publish(measured: Measured[], machine: string) {
  const text = [
    `${machine}; ${amounts.finished} finished and ${amounts.waiting} waiting tasks, ${SAMPLES} requests each, one after the other`,
    '',
    ...formatRequests(measured),
    '',
    `- The slowest p95: ${slowestP95(measured).toFixed(1)} ms (goal: under ${GOAL_MS})`,
    '',
  ].join('\n')
  process.stdout.write(`\n${text}`)
  if (!options.write) return
  const heading = `## ${new Date().toISOString().slice(0, 10)}, requests of the page`
  appendFileSync(new URL('../RESULTS.md', import.meta.url), `\n${heading}\n\n${text}`)
}
