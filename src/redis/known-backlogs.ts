// Caches which queues have a backlog in Postgres, so that a submission does not wait for a read from Redis.

export interface KnownBacklogs {
  /** Returns whether the queue has a backlog, by the cache. Reads an old entry again in the background. */
  has(queueName: string): boolean
  /** Stores the backlog flag that Redis has returned. */
  note(queueName: string, hasBacklog: boolean): void
}

// Minimum time between two reads of the flag of a queue. They happen only while tasks are submitted to a
// queue with a backlog.
const READ_EVERY_MS = 50
// Age after which an entry is ignored. The next tasks are then enqueued, and Redis refuses them if the
// backlog still exists.
const FORGET_MS = 1_000

/** @param read reads from Redis whether a queue has a backlog; rejects if Redis cannot be reached */
export function createKnownBacklogs(read: (queueName: string) => Promise<boolean>): KnownBacklogs {
  const known = new Map<string, { notedMs: number; isReading: boolean }>()

  return {
    has(queueName) {
      const backlog = known.get(queueName)
      if (!backlog) return false
      const ageMs = performance.now() - backlog.notedMs
      if (ageMs > READ_EVERY_MS && !backlog.isReading) {
        backlog.isReading = true
        // If Redis cannot be reached, the next enqueue reports it.
        read(queueName).then(
          (hasBacklog) => note(queueName, hasBacklog),
          () => note(queueName, false),
        )
      }
      return ageMs < FORGET_MS
    },
    note,
  }

  function note(queueName: string, hasBacklog: boolean) {
    if (hasBacklog) known.set(queueName, { notedMs: performance.now(), isReading: false })
    else known.delete(queueName)
  }
}
