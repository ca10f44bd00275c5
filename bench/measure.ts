// One visit to one system: start it, warm it up, flood it, measure it at rest, and read its memory.
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

export interface Visit {
  /** In the order in which they are shown. */
  figures: Map<string, number>
  /** Tasks that were to be done and are not. */
  missing: number
}

export const CONNECTIONS = [64, 256]
export const IDLE_P50 = 'idle, submit to done p50 ms'
export const tasksPerSecond = (connections: number) => `${connections} connections, end-to-end tasks/s`

const FLOOD_LIMIT_MS = 180_000
// A single idle submission takes milliseconds; this is for a system that has stopped answering.
const IDLE_LIMIT_MS = 60_000

/** @param signal ends the visit early: what was started is stopped, and the promise rejects */
export async function measure(system: System, store: Store, plan: Plan, signal: AbortSignal): Promise<Visit> {
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

/** Sends the loads one after another and keeps the account of what was sent and what came of it. */
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
      // What the flood has left to do in the background is to be over, and the way of waiting warm.
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

const LOAD = fileURLToPath(new URL('./load.ts', import.meta.url))

/** The generator ends by itself at `limitMs`; the timeout here is for one that hangs. */
async function runLoad(order: LoadOrder, signal: AbortSignal): Promise<LoadReport> {
  const args = [LOAD, JSON.stringify(order)]
  const limits = { timeout: order.limitMs + 10_000, signal }
  const { stdout } = await promisify(execFile)(process.execPath, args, limits)
  return JSON.parse(stdout) as LoadReport // printed by load.ts as exactly this
}
