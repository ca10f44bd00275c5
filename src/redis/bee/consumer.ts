// Fetches deliveries of one queue from Redis, through Bee-Queue.
import type BeeQueue from 'bee-queue'
import {
  acknowledge,
  close,
  connect,
  internalsOf,
  isMissingScript,
  type JobData,
  loadScripts,
  type Pairs,
  remove,
} from './connection.ts'
import { type BeeRole, STALL_INTERVAL_MS } from './settings.ts'

/**
 * Fetches deliveries as soon as Redis can be reached, and calls `handle` with up to `fetches` at the same
 * time. `handle` must not reject. It may acknowledge its delivery early and return later, to delay the next
 * fetch without keeping the delivery.
 */
export function startConsumer(
  role: BeeRole,
  fetches: number,
  handle: (deliveryId: string, pairs: Pairs, acknowledge: () => Promise<void>) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let current: BeeQueue | null = null
  const connected = connect(role, 'consumer', stopping.signal, (bee) => {
    current = bee
    bee.on('error', (error) => {
      // Loads the Lua scripts if Redis has lost them, because Bee-Queue does not. A consumer needs the script
      // of the stall check.
      if (isMissingScript(error)) loadScripts(bee).catch(role.onError)
      // Resets the delay before the next fetch. Bee-Queue would double it without a limit while Redis cannot
      // be reached.
      internalsOf(bee)._redisFailureRetryDelay = 0
    })
    // Call `process` only after the scripts are loaded, because it never fetches anything if its first stall
    // check fails. The handler returns no result for the Bee-Queue job: results of tasks are in Postgres.
    bee.process(fetches, async (job: BeeQueue.Job<JobData>) => {
      const fetchedMs = Date.now()
      await handle(job.id, job.data.tasks, () => acknowledge(bee, job.id))
      // If handling took long, a renewal of the delivery may have been late, and the stall check has returned
      // its id to the waiting list. Remove the id, because it would remain there after its job is deleted.
      if (Date.now() - fetchedMs > STALL_INTERVAL_MS) await remove(bee, job.id).catch(role.onError)
    })
    // Starts the stall check, which returns the deliveries of workers that died to the list. Without an
    // interval, Bee-Queue would run it only once.
    bee.checkStalledJobs(STALL_INTERVAL_MS).catch(role.onError)
  })
  return {
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }
}
