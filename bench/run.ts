// `npm run bench` measures how many tasks per second the whole system runs and how long a single task takes,
// compared with other systems that do the same work in the same run: three on BullMQ, and pg-boss and
// graphile-worker, which store tasks in Postgres. FastAPI with Celery, and Waggle from the built package, are
// measured only if --systems names them.
//
//   --quick            one short round
//   --write            appends the result to RESULTS.md
//   --systems=a,b      measures only these systems (waggle, bullmq-rows, …: see systems.ts). `celery` needs
//                      Python with venv and is skipped without it; `waggle-package` needs \`npm run build\`
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { measure, type Plan } from './measure.ts'
import packages from './package.json' with { type: 'json' }
import { makePackageProject } from './package-project.ts'
import { installRequirements } from './python-environment.ts'
import { formatFindings, formatTable, type Result, type Skipped } from './report.ts'
import { type Stores, startStores } from './stores.ts'
import { chooseSystems, type System } from './systems.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    systems: { type: 'string' },
  },
})

// Rounds differ by a tenth and more, so the result is the median of several.
const FULL: Plan = { rounds: 5, warmUpTasks: 10_000, floodTasks: 40_000, idleTasks: 100 }
const QUICK: Plan = { rounds: 1, warmUpTasks: 2_000, floodTasks: 5_000, idleTasks: 50 }
const plan = options.quick ? QUICK : FULL

// Ctrl-C aborts the current measurement and stops all started processes in order.
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())

const chosen = chooseSystems(options.systems)
if (chosen.some(({ name }) => name === 'waggle-package')) makePackageProject()
const { systems, skipped, python } = install(chosen)
const stores = await startStores()
try {
  publish(await run(stores, interruption.signal))
} catch (error) {
  if (!interruption.signal.aborted) throw error
  process.exitCode = 130
} finally {
  await stores.stop()
}

/** Installs the packages of the systems in Python. Skips such a system if that is not possible. */
function install(chosen: System[]) {
  const systems: System[] = []
  const skipped: Skipped[] = []
  let python: string | undefined
  for (const system of chosen) {
    const result = system.pythonFolder === undefined ? undefined : installRequirements(system.pythonFolder)
    if (result && 'problem' in result) {
      skipped.push({ system, ...result })
      continue
    }
    systems.push(system)
    python ??= result?.version
  }
  return { systems, skipped, python }
}

/** Measures all systems in each round, so that a slow minute of the machine affects all of them. */
async function run(stores: Stores, signal: AbortSignal): Promise<Findings> {
  const results: Result[] = systems.map((system) => ({ system, measurements: [] }))
  let redis = 'unknown'
  for (let round = 1; round <= plan.rounds; round++) {
    for (const { system, measurements } of results) {
      signal.throwIfAborted()
      process.stderr.write(`Round ${round} of ${plan.rounds}: ${system.title}\n`)
      const store = await stores.open(system.name)
      redis = store.redisVersion
      measurements.push(await measure(system, store, plan, signal).finally(() => store.close()))
    }
  }
  const bullmq = packages.dependencies.bullmq
  return { results, machine: describeMachine({ postgres: stores.postgresVersion, redis, bullmq, python }) }
}

function publish({ results, machine }: Findings) {
  const amount = `${plan.floodTasks} tasks per flood, median of ${plan.rounds} round${plan.rounds > 1 ? 's' : ''}`
  const text = `${machine}; ${amount}\n\n${formatTable(results)}\n\n${formatFindings(results, skipped)}\n`
  process.stdout.write(`\n${text}`)
  for (const { system, measurements } of results) {
    const missing = measurements.reduce((sum, measurement) => sum + measurement.missing, 0)
    if (missing === 0) continue
    process.stderr.write(`${system.title}: ${missing} tasks were not accepted or have not ended as SUCCESS\n`)
    process.exitCode = 1
  }
  if (!options.write) return
  const heading = `## ${new Date().toISOString().slice(0, 10)}`
  appendFileSync(new URL('./RESULTS.md', import.meta.url), `\n${heading}\n\n${text}`)
}

interface Findings {
  results: Result[]
  machine: string
}
