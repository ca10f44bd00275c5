// Fetches deliveries from a Bee-Queue.
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
 * Starts fetching as soon as Redis can be reached. `handle` must not reject. It may acknowledge its delivery
 * and return later: this delays the next fetch without keeping the delivery.
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
      // A consumer uses one script, the stall check. Bee-Queue does not reload it by itself.
      if (isMissingScript(error)) loadScripts(bee).catch(role.onError)
      // Bee-Queue doubles this pause without a bound while Redis is away.
      internalsOf(bee)._redisFailureRetryDelay = 0
    })
    // `process` is called after the scripts are loaded: it never fetches anything if its first stall check
    // fails. The outcome of a Bee-Queue job is not used. The outcome of a task goes to Postgres.
    bee.process(fetches, async (job: BeeQueue.Job<JobData>) => {
      const fetchedMs = Date.now()
      await handle(job.id, job.data.tasks, () => acknowledge(bee, job.id))
      // Without a timely renewal, the stall check has put the delivery's id back into the list, without a
      // job.
      if (Date.now() - fetchedMs > STALL_INTERVAL_MS) await remove(bee, job.id).catch(role.onError)
    })
    // Returns deliveries of workers that died. Without an interval the check would run only once.
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
