// How long tasks and idempotency keys are kept, as the configuration says.
import type { Config } from '../config.ts'
import type { WorkerOptions } from '../worker/worker-options.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export function retentionOf(
  config: Config,
): Required<Pick<WorkerOptions, 'keysKeptMs'>> & Pick<WorkerOptions, 'keptMs' | 'successMs'> {
  const { RETENTION_DAYS: days, RETENTION_SUCCESS_HOURS: successHours } = config
  return {
    keptMs: days === 0 ? undefined : days * DAY_MS,
    successMs: successHours === undefined ? undefined : successHours * HOUR_MS,
    keysKeptMs: config.IDEMPOTENCY_HOURS * HOUR_MS,
  }
}
