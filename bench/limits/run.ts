// `npm run bench:limits` measures tasks with limits: their speed, their fairness, and how exactly a rate limit is kept and
// used. It starts real PostgreSQL, Redis, API and worker processes. The full amounts need about ten minutes.
//
//   --only=a,b   runs only these measurements (names: see MEASUREMENTS)
//   --quick      small amounts, which show only that the measurements work
//   --write      appends the result to RESULTS.md
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { chooseMeasurements } from '../ledger/choice.ts'
import { describeEnvironment } from '../ledger/environment.ts'
import { formatSection } from '../ledger/figures.ts'
import type { Section } from '../ledger/plan.ts'
import { startStores } from '../stores.ts'
import { measureFairness } from './fairness.ts'
import { measureKeys } from './keys.ts'
import { type Context, FULL, type Measurement, QUICK } from './plan.ts'
import { measureRate } from './rate.ts'
import { measureSerial } from './serial.ts'

const MEASUREMENTS: Record<string, Measurement> = {
  keys: measureKeys,
  fairness: measureFairness,
  rate: measureRate,
  serial: measureSerial,
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
  const amounts = options.quick ? QUICK : FULL
  publish(head, await measureAll({ amounts, stores, signal: interruption.signal, log }))
} finally {
  await stores.stop()
}

async function measureAll(context: Context): Promise<Section[]> {
  const sections: Section[] = []
  for (const name of chosen) {
    if (context.signal.aborted) break
    log(`Measurement ${name}`)
    try {
      const section = await MEASUREMENTS[name]?.(context)
      if (!section) continue
      process.stdout.write(`\n${formatSection(section)}\n`)
      sections.push(section)
    } catch (error) {
      // The next measurements still run.
      process.exitCode = 1
      log(`${name} has failed: ${(error as Error).stack}`)
    }
  }
  return sections
}

function publish(head: string, sections: Section[]) {
  const missed = sections.flatMap(({ bounds }) => bounds.filter(({ isMet }) => !isMet))
  log(`${head}\n${missed.length === 0 ? 'All bounds were met' : `${missed.length} bounds were missed`}`)
  if (!options.write || sections.length === 0) return
  const heading = `## ${new Date().toISOString().slice(0, 10)}, limits`
  const text = [heading, '', head, '', ...sections.map(formatSection)].join('\n')
  appendFileSync(new URL('../RESULTS.md', import.meta.url), `\n${text}`)
}
