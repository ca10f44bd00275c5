// Takes deliveries out of a Bee-Queue.
import type BeeQueue from 'bee-queue'
import {
  acknowledge,
  close,
  connect,
  forget,
  internalsOf,
  isMissingScript,
  type JobData,
  loadScripts,
  type Pairs,
} from './connection.ts'
import { type BeeRole, STALL_INTERVAL_MS } from './settings.ts'

/**
 * Takes deliveries from now on, or from when Redis can be reached. `handle` must not reject. It may let go of a delivery
 * before it is done, to hold back the next one without being seen to hold this one.
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
      // The stall check is a consumer's only script, and Bee-Queue does not load it again by itself.
      if (isMissingScript(error)) loadScripts(bee).catch(role.onError)
      // Bee-Queue doubles this pause without a bound while Redis is away.
      internalsOf(bee)._redisFailureRetryDelay = 0
    })
    // Only now: `process` would take nothing for ever if its first stall check failed for want of the scripts.
    // Its verdict on a job is never used: the outcome of a task is ours, and goes to Postgres.
    bee.process(fetches, async (job: BeeQueue.Job<JobData>) => {
      const fetchedMs = Date.now()
      await handle(job.id, job.data.tasks, () => acknowledge(bee, job.id))
      // We were kept from renewing it: it was found stalled, and its id would wait without a job behind it.
      if (Date.now() - fetchedMs > STALL_INTERVAL_MS) await forget(bee, job.id).catch(role.onError)
    })
    // With an interval, or it runs once only: what a worker took and died with comes back.
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
