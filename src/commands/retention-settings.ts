// How long tasks and idempotency keys are kept, as the configuration says.
import type { Config } from '../config.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Returns options of a worker, in milliseconds. `keptMs` is undefined if tasks are kept forever. */
export function retentionOf(config: Config) {
  const { RETENTION_DAYS: days, RETENTION_SUCCESS_HOURS: successHours } = config
  return {
    keptMs: days === 0 ? undefined : days * DAY_MS,
    successMs: successHours === undefined ? undefined : successHours * HOUR_MS,
    keysKeptMs: config.IDEMPOTENCY_HOURS * HOUR_MS,
  }
}
