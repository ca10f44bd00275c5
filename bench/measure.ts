// Measures one system in one round: starts it, warms it up, floods it, measures it at rest and reads its
// memory.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pause } from '../src/base/loop.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import { type RunningSystem, startSystem } from './running-system.ts'
import type { Store } from './stores.ts'
import type { System } from './systems.ts'
import { untilDone } from './until-done.ts'

export interface Plan {
  rounds: number
  warmUpTasks: number
  floodTasks: number
  idleTasks: number
}

export interface Measurement {
  /** Values by label, in the order in which the table shows them. */
  figures: Map<string, number>
  /** The number of tasks that were not accepted or have not ended as SUCCESS. */
  missing: number
}

export const CONNECTIONS = [64, 256]
export const IDLE_P50 = 'idle, submit to done p50 ms'
export const tasksPerSecond = (connections: number) => `${connections} connections, end-to-end tasks/s`

const FLOOD_LIMIT_MS = 180_000
// One idle task takes milliseconds. The limit is for a system that no longer responds.
const IDLE_LIMIT_MS = 60_000

/** @param signal aborts the measurement: all processes are stopped and the promise rejects */
export async function measure(
  system: System,
  store: Store,
  plan: Plan,
  signal: AbortSignal,
): Promise<Measurement> {
  const running = await startSystem(system, store)
  try {
    const client = createClient(running, signal)
    const figures = new Map<string, number>()
    await client.flood(plan.warmUpTasks, 64)
    for (const connections of CONNECTIONS) {
      const { report, doneAt } = await client.flood(plan.floodTasks, connections)
      const seconds = (until: number) => (until - report.startedAt) / 1_000
      figures.set(`${connections} connections, accepted/s`, report.accepted / seconds(report.endedAt))
      figures.set(tasksPerSecond(connections), report.accepted / seconds(doneAt))
      figures.set(`${connections} connections, submit p50 ms`, report.p50Ms)
      figures.set(`${connections} connections, submit p99 ms`, report.p99Ms)
    }
    const idle = await client.idle(plan.idleTasks)
    figures.set(IDLE_P50, idle.p50Ms)
    figures.set('idle, submit to done p99 ms', idle.p99Ms)
    const memory = await running.readPeakMemory()
    figures.set('peak memory MB, API', memory.api)
    figures.set('peak memory MB, worker', memory.worker)
    figures.set('peak memory MB, Redis', memory.redis)
    return { figures, missing: client.missing() }
  } finally {
    await running.stop()
  }
}

/** Runs the loads one after the other and counts accepted, refused and unfinished tasks. */
function createClient(running: RunningSystem, signal: AbortSignal) {
  let accepted = 0
  let refused = 0
  let unfinished = 0
  return {
    async flood(tasks: number, connections: number): Promise<{ report: LoadReport; doneAt: number }> {
      const order: LoadOrder = {
        kind: 'flood',
        port: running.port,
        connections,
        tasks,
        limitMs: FLOOD_LIMIT_MS,
      }
      const report = await runLoad(order, signal)
      account(report, tasks)
      unfinished = await untilDone(() => running.countUnfinished(accepted), signal)
      return { report, doneAt: unfinished > 0 ? Number.NaN : Math.max(report.endedAt, Date.now()) }
    },
    async idle(tasks: number): Promise<LoadReport> {
      const order: LoadOrder = {
        kind: 'idle',
        port: running.port,
        connections: 1,
        tasks: 20,
        limitMs: IDLE_LIMIT_MS,
      }
      // Let background work of the flood end, then warm up the code that waits for tasks.
      await pause(1_000, signal)
      account(await runLoad(order, signal), order.tasks)
      const report = await runLoad({ ...order, tasks }, signal)
      account(report, tasks)
      return report
    },
    missing: () => refused + unfinished,
  }

  function account(report: LoadReport, tasks: number) {
    accepted += report.accepted
    refused += tasks - report.accepted
    for (const [problem, times] of Object.entries(report.refused)) {
      process.stderr.write(`${times} of ${tasks} submissions failed: ${problem}\n`)
    }
  }
}

// A detailed report of half a million submissions has 30 MB.
const MAX_REPORT_BYTES = 256 * 1024 * 1024
// The generator sorts the latencies after `limitMs`. The timeout ends a generator that hangs.
const REPORT_MS = 30_000
const LOAD = fileURLToPath(new URL('./load.ts', import.meta.url))

/** Runs the load generator, which ends at `limitMs` at the latest. */
export async function runLoad(order: LoadOrder, signal: AbortSignal): Promise<LoadReport> {
  const args = [LOAD, JSON.stringify(order)]
  const limits = { timeout: order.limitMs + REPORT_MS, maxBuffer: MAX_REPORT_BYTES, signal }
  const { stdout } = await promisify(execFile)(process.execPath, args, limits)
  return JSON.parse(stdout) as LoadReport // load.ts prints this type
}
