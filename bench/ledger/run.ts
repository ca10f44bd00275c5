// `npm run bench:ledger` measures Waggle with many tasks in the database: during retention, at different sizes,
// after the loss of a worker, and over some minutes. It starts real PostgreSQL, Redis, API and worker processes.
// The full amounts need about an hour and 40 GB in the temporary folder.
//
//   --only=a,b   runs only these measurements (names: see MEASUREMENTS)
//   --quick      small amounts, which show only that the measurements work
//   --write      appends the result to RESULTS.md
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Stores, startStores } from '../stores.ts'
import { measureBytes } from './bytes.ts'
import { chooseMeasurements } from './choice.ts'
import { measureDashboard } from './dashboard.ts'
import { measureDrop } from './drop.ts'
import { describeEnvironment } from './environment.ts'
import { formatSection } from './figures.ts'
import { createLargeLedger } from './large-ledger.ts'
import { type Context, FULL, type Measurement, QUICK, type Section } from './plan.ts'
import { measureRecovery } from './recovery.ts'
import { measureRetention } from './retention.ts'
import { measureSizes } from './sizes.ts'
import { measureSteady } from './steady.ts'

// The order matters: `dashboard` comes after `sizes`, because it adds waiting tasks to the database that both
// use, and the worker of `sizes` would run them.
const MEASUREMENTS: Record<string, Measurement> = {
  retention: measureRetention,
  sizes: measureSizes,
  dashboard: measureDashboard,
  drop: measureDrop,
  recovery: measureRecovery,
  bytes: measureBytes,
  steady: measureSteady,
}

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

// Ctrl-C aborts the current measurement and stops all started processes in order.
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())

const log = (line: string) => process.stderr.write(`${line}\n`)
const chosen = chooseMeasurements(Object.keys(MEASUREMENTS), options.only)
const stores = await startStores()
try {
  const head = await describeEnvironment(stores)
  publish(head, await measureAll(stores))
} finally {
  await stores.stop()
}

async function measureAll(stores: Stores): Promise<Section[]> {
  const amounts = options.quick ? QUICK : FULL
  const large = createLargeLedger(stores, amounts.sizes, log)
  const context: Context = { amounts, stores, openLarge: large.open, signal: interruption.signal, log }
  const sections: Section[] = []
  try {
    for (const name of chosen) {
      if (interruption.signal.aborted) break
      log(`Measurement ${name}`)
      const section = await MEASUREMENTS[name]?.(context).catch(failed(name))
      if (!section) continue
      process.stdout.write(`\n${formatSection(section)}\n`)
      sections.push(section)
    }
  } finally {
    await large.close()
  }
  return sections
}

/** Returns a handler that logs the error of a measurement, so that the next measurements still run. */
function failed(name: string) {
  return (error: unknown) => {
    process.exitCode = 1
    if (!interruption.signal.aborted) log(`${name} has failed: ${(error as Error).stack}`)
    return undefined
  }
}

function publish(head: string, sections: Section[]) {
  const missed = sections.flatMap(({ bounds }) => bounds.filter(({ isMet }) => !isMet))
  log(`${head}\n${missed.length === 0 ? 'All bounds were met' : `${missed.length} bounds were missed`}`)
  if (!options.write || sections.length === 0) return
  const heading = `## ${new Date().toISOString().slice(0, 10)}, the ledger at scale`
  const text = [heading, '', head, '', ...sections.map(formatSection)].join('\n')
  appendFileSync(new URL('../RESULTS.md', import.meta.url), `\n${text}`)
}
