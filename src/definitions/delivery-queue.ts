// The names of delivery queues, which carry task references over Redis. The tasks of a queue that run in
// isolated processes have a delivery queue of their own: a worker fetches from it only while an isolated
// process is free, and its other tasks do not wait for that.

export interface QueuePart {
  queue: string
  isIsolated?: boolean
}

// The name of a queue cannot contain a colon.
const SUFFIX = ':isolated'

export function deliveryQueueOf({ queue, isIsolated }: QueuePart): string {
  return isIsolated ? queue + SUFFIX : queue
}

export function queuePartOf(deliveryQueue: string): Required<QueuePart> {
  return deliveryQueue.endsWith(SUFFIX)
    ? { queue: deliveryQueue.slice(0, -SUFFIX.length), isIsolated: true }
    : { queue: deliveryQueue, isIsolated: false }
}
