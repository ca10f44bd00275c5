// Writes the heartbeat of a worker whose event loop is blocked. A thread of the worker process loads this
// file when that happens, so it imports only the driver and not Drizzle.
import { openServerPool } from './server-pool.ts'

export interface BlockedHeartbeat {
  /**
   * Writes the time of the last heartbeat of the worker. Changes nothing if the worker has no row yet, or no
   * longer. @throws the error of the driver
   */
  beat(): Promise<void>
}

// Time limit of one heartbeat. It is short, so that a hanging connection is replaced soon.
const BEAT_TIMEOUT_MS = 5_000

/**
 * Creates the heartbeat of one worker. Its only connection is opened by the first heartbeat, and closed ten
 * seconds after the last one (the idle timeout of the driver's pool).
 */
export function createBlockedHeartbeat(databaseUrl: string, workerId: string): BlockedHeartbeat {
  const { pool } = openServerPool(databaseUrl, { maxConnections: 1, timeoutMs: BEAT_TIMEOUT_MS })
  return {
    async beat() {
      await pool.query('update workers set last_beat_at = now() where id = $1', [workerId])
    },
  }
}
