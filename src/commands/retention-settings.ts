// How long tasks are kept, as the configuration says.
import type { Config } from '../config.ts'

const DAY_MS = 86_400_000

/** `keptMs`: how long a task is kept after its end, in milliseconds; undefined: forever. */
export function retentionOf(config: Config): { keptMs: number | undefined } {
  return { keptMs: config.RETENTION_DAYS === 0 ? undefined : config.RETENTION_DAYS * DAY_MS }
}
