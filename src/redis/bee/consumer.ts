// Fetches deliveries of one queue from Redis, through Bee-Queue.
import type BeeQueue from 'bee-queue'
import { pause } from '../../base/loop.ts'
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
 * Fetches deliveries as soon as Redis can be reached, and calls `handle` with up to `fetches` of them at the
 * same time.
 * @param handle handles one delivery; must not reject. The next delivery is fetched only when its promise
 *   resolves. A handler that wants to delay the next fetch calls `acknowledge`, which removes its delivery
 *   from Redis, and resolves later.
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
      // Loads Bee-Queue's Lua scripts again if Redis has lost them, because Bee-Queue does not. Without its
      // script, the stall check of this consumer fails.
      if (isMissingScript(error)) loadScripts(bee).catch(role.onError)
      // Resets the delay that Bee-Queue waits after a failed fetch. Bee-Queue doubles it with every failure,
      // without a limit.
      internalsOf(bee)._redisFailureRetryDelay = 0
    })
    process(bee).catch(role.onError)
  })
  return {
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }

  async function process(bee: BeeQueue) {
    // Bee-Queue's `process` first runs the script of the stall check, and never fetches a delivery if this
    // script fails. So it is called only when the scripts are loaded (`connect`) and Redis has run this one,
    // which a full Redis refuses.
    while (!(await hasCheckedStalled(bee))) {
      await pause(CHECK_RETRY_MS, stopping.signal)
      if (stopping.signal.aborted) return
    }
    if (stopping.signal.aborted) return
    // The handler returns no result, because the results of tasks are in Postgres.
    bee.process(fetches, async (job: BeeQueue.Job<JobData>) => {
      const fetchedMs = Date.now()
      await handle(job.id, job.data.tasks, () => acknowledge(bee, job.id))
      // If the handler took longer than a stall interval, the stall check may have put the id of the delivery
      // back into the list of waiting deliveries. Removes it from there, because Bee-Queue does not.
      if (Date.now() - fetchedMs > STALL_INTERVAL_MS) await remove(bee, job.id).catch(role.onError)
    })
    // Starts the regular stall check, which puts deliveries of workers that died back into the list of
    // waiting deliveries. Without an interval, Bee-Queue would check only once.
    bee.checkStalledJobs(STALL_INTERVAL_MS).catch(role.onError)
  }

  async function hasCheckedStalled(bee: BeeQueue): Promise<boolean> {
    try {
      await bee.checkStalledJobs()
      return true
    } catch (error) {
      role.onError(error)
      return false
    }
  }
}

// Pause between two tries of the first stall check.
const CHECK_RETRY_MS = 500
