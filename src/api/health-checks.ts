// Checks whether this process is live and ready.
import { isAppError } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import { READ_ONLY } from '../store/database-errors.ts'

/** Checks behind the `/health` routes: of this process, or of all processes of a supervisor. */
export interface HealthChecks {
  /** Resolves with the reason why the process should be restarted; null if it is live. */
  livenessFault(): Promise<string | null>
  readiness(): Promise<Readiness>
}

/** `degraded`: tasks are accepted, but do not run at present. */
export type Readiness = { status: 'ok' } | { status: 'degraded' | 'unavailable'; reason: string }

export interface HealthDependencies {
  /** Resolves when Postgres has answered a query; rejects if it cannot be reached or returns an error. */
  pingDatabase: () => Promise<void>
  isRedisReady: () => boolean
  /**
   * Whether the worker of this process still attempts heartbeats. It is absent for the API, because any
   * response of the API proves that the process is live.
   */
  isLive?: () => boolean
}

const PING_TIMEOUT_MS = 2_000

export function createHealthChecks(dependencies: HealthDependencies): HealthChecks {
  const { pingDatabase, isRedisReady, isLive = () => true } = dependencies
  return {
    async livenessFault() {
      return isLive() ? null : 'The heartbeat of the worker has stopped'
    },
    async readiness() {
      const reason = await Promise.race([
        databaseFault(),
        pause(PING_TIMEOUT_MS).then(() => 'Postgres does not answer'),
      ])
      if (reason) return { status: 'unavailable', reason }
      if (!isRedisReady()) return { status: 'degraded', reason: 'Redis cannot be reached' }
      return { status: 'ok' }
    },
  }

  async function databaseFault(): Promise<string | null> {
    try {
      await pingDatabase()
      return null
    } catch (error) {
      if (!isAppError(error, 'unavailable')) return 'Postgres returned an error'
      return error.message === READ_ONLY ? READ_ONLY : 'Postgres cannot be reached'
    }
  }
}
