// The health of all processes of a supervisor, as one.
import type { HealthChecks, Readiness } from '../api/health-checks.ts'
import type { Slot } from './slot.ts'

/** Questions to a process: its `HealthChecks`. */
export const LIVE = 'live'
export const READINESS = 'readiness'

const LIVE_LIMIT_MS = 1_000
// Longer than the two seconds after which a process reports that Postgres does not answer.
const READINESS_LIMIT_MS = 2_500

const RANKS = { ok: 0, degraded: 1, unavailable: 2 } as const

export function createProcessHealth(slots: Slot[]): HealthChecks {
  return {
    async deathReason() {
      const reasons = await Promise.all(slots.map(deathReasonOf))
      return reasons.find((reason) => reason !== null) ?? null
    },
    async readiness() {
      const all = await Promise.all(slots.map(readinessOf))
      return all.reduce((worst, each) => (RANKS[each.status] > RANKS[worst.status] ? each : worst))
    },
  }
}

async function deathReasonOf({ name, state, current }: Slot): Promise<string | null> {
  if (!current) return `The ${name} does not run: it is ${state === 'waiting' ? 'started again soon' : state}`
  // No answer counts as live: the process may compute. A process that has started answers with a reason or
  // ''.
  return current.isReady ? ((await current.ask(LIVE, LIVE_LIMIT_MS)) as string | undefined) || null : null
}

async function readinessOf({ name, current }: Slot): Promise<Readiness> {
  if (!current?.isReady) return { status: 'unavailable', reason: `The ${name} is not ready yet` }
  const answer = (await current.ask(READINESS, READINESS_LIMIT_MS)) as Readiness | undefined
  return answer ?? { status: 'unavailable', reason: `The ${name} does not answer` }
}
