// Limits the results that are not written to Postgres yet. Below the limit, the slot of an attempt is freed
// when its handler has returned. At the limit, the attempt keeps its slot until its result is written, so
// that a worker with a slow Postgres claims no more tasks than it can finish.

// Limit of the results whose slots were freed early, in characters of their JSON: each takes one or two
// bytes. It contains several batches of results (`MAX_BATCH_BYTES` in parts.ts), so that large results are
// written while the next ones are computed.
const MAX_BYTES = 16 * 1_024 * 1_024
// Limit of their number: four batches of results, at a few KiB of memory each.
const MAX_ATTEMPTS = 2_000

export interface UnwrittenResults {
  /**
   * Adds an attempt whose handler has returned.
   * @returns true if the slot may be freed now: call `remove` when the end is written. False if the limit is
   * reached: nothing was added, and the attempt keeps its slot until its end is written
   */
  add(bytes: number): boolean
  remove(bytes: number): void
}

export function createUnwrittenResults(): UnwrittenResults {
  let totalBytes = 0
  let attempts = 0
  return {
    add(bytes) {
      if (totalBytes + bytes > MAX_BYTES || attempts >= MAX_ATTEMPTS) return false
      totalBytes += bytes
      attempts++
      return true
    },
    remove(bytes) {
      totalBytes -= bytes
      attempts--
    },
  }
}
