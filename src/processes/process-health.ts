// The health of all processes of a supervisor, as one.
import { readFileSync } from 'node:fs'
import type { HealthChecks, Readiness } from '../api/health-checks.ts'
import type { Slot } from './slot.ts'

/** Questions that a supervisor sends to a process. The answers are the results of its `HealthChecks`. */
export const LIVE = 'live'
export const READINESS = 'readiness'

const LIVE_LIMIT_MS = 1_000
// Longer than the two seconds after which a process reports that Postgres does not answer.
const READINESS_LIMIT_MS = 2_500

const RANKS = { ok: 0, degraded: 1, unavailable: 2 } as const

export function createProcessHealth(slots: Slot[]): HealthChecks {
  return {
    async livenessFault() {
      const reasons = await Promise.all(slots.map(livenessFaultOf))
      return reasons.find((reason) => reason !== null) ?? null
    },
    async readiness() {
      const all = await Promise.all(slots.map(readinessOf))
      return all.reduce((worst, each) => (RANKS[each.status] > RANKS[worst.status] ? each : worst))
    },
  }
}

async function livenessFaultOf({ name, state, current }: Slot): Promise<string | null> {
  if (!current) return `The ${name} does not run: it is ${state === 'waiting' ? 'started again soon' : state}`
  if (!current.isReady) return null
  // A process that answers sends a reason or ''. Without an answer it counts as live, because it may compute,
  // unless a signal has stopped it.
  const answer = (await current.ask(LIVE, LIVE_LIMIT_MS)) as string | undefined
  if (answer === undefined && isStopped(current.pid)) return `The ${name} was stopped by a signal`
  return answer || null
}

async function readinessOf({ name, current }: Slot): Promise<Readiness> {
  if (!current?.isReady) return { status: 'unavailable', reason: `The ${name} is not ready yet` }
  const answer = (await current.ask(READINESS, READINESS_LIMIT_MS)) as Readiness | undefined
  return answer ?? { status: 'unavailable', reason: `The ${name} does not answer` }
}

/** Returns whether a signal such as SIGSTOP has stopped a process; false on systems without /proc. */
function isStopped(pid: number | undefined): boolean {
  try {
    // The state follows the name, which is in parentheses and can contain any character (proc_pid_stat(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
