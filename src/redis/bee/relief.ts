// Frees memory of a Redis that has reached `maxmemory`. With the policy `noeviction` such a Redis refuses
// even to hand out deliveries (BRPOPLPUSH), so that it would stay full for ever.
import type BeeQueue from 'bee-queue'
import { readMemory } from './capacity.ts'
import { internalsOf, promised } from './connection.ts'

export interface DroppedDeliveries {
  queueName: string
  deliveries: number
}

// Minimum time between two deletions.
const RELIEVE_EVERY_MS = 1_000

/**
 * Creates the function that is called when Redis refuses a command because it is full. At most once a second,
 * it deletes the waiting deliveries of the longest queue and reports that to `onError`.
 * @param drop calls `dropLongestQueue`; returns undefined if no connection to Redis is ready
 */
export function createRelief(
  drop: () => Promise<DroppedDeliveries | null> | undefined,
  onError: (error: unknown) => void,
): () => void {
  let relievedMs = Number.NEGATIVE_INFINITY
  let isRelieving = false

  return () => {
    if (isRelieving || performance.now() - relievedMs < RELIEVE_EVERY_MS) return
    relievedMs = performance.now()
    isRelieving = true
    Promise.resolve(drop())
      .then((dropped) => {
        if (dropped) onError(new Error(messageOf(dropped)))
      })
      .catch(onError)
      .finally(() => {
        isRelieving = false
      })
  }
}

function messageOf({ queueName, deliveries }: DroppedDeliveries): string {
  return (
    `Redis has reached maxmemory: ${deliveries} deliveries of the queue "${queueName}" were deleted. ` +
    'The tasks are in Postgres, and workers enqueue them again'
  )
}

// Number of keys per SCAN. Redis usually has a few keys per queue.
const SCAN_COUNT = 1_000

/**
 * Deletes all waiting deliveries of the queue that has most of them. No task is lost: the reconciler finds
 * that their deliveries are lost, and the dispatcher enqueues them again.
 * @returns null if Redis is no longer full, or if no delivery waits in any queue
 */
export async function dropLongestQueue(bee: BeeQueue, prefix: string): Promise<DroppedDeliveries | null> {
  const { client } = internalsOf(bee)
  // Another process may have freed enough memory already.
  if (!(await readMemory(bee)).isFull) return null
  let longest = { key: '', length: 0 }
  for (const key of await waitingLists(bee, prefix)) {
    const length = await promised<number>(bee, (done) => client?.llen(key, done))
    if (length > longest.length) longest = { key, length }
  }
  if (longest.length === 0) return null
  const base = longest.key.slice(0, -WAITING.length)
  const args = [DROP, 2, longest.key, `${base}:jobs`]
  const deliveries = await promised<number>(bee, (done) => client?.eval(args, done))
  return { queueName: base.slice(prefix.length + 1), deliveries }
}

const WAITING = ':waiting'

/**
 * Deletes a list and its jobs in one step: a job without an entry in a list would never be deleted. It is a
 * script, because a full Redis refuses every transaction (MULTI).
 */
const DROP = `
local ids = redis.call('lrange', KEYS[1], 0, -1)
for _, id in ipairs(ids) do redis.call('hdel', KEYS[2], id) end
redis.call('del', KEYS[1])
return #ids`

async function waitingLists(bee: BeeQueue, prefix: string): Promise<Set<string>> {
  const { client } = internalsOf(bee)
  const found = new Set<string>()
  let cursor = '0'
  do {
    const args = [cursor, 'MATCH', `${prefix}:*${WAITING}`, 'COUNT', SCAN_COUNT]
    const [next, keys] = await promised<[string, string[]]>(bee, (done) => client?.scan(args, done))
    for (const key of keys) found.add(key)
    cursor = next
  } while (cursor !== '0')
  return found
}
