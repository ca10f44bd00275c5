// The delivery queues that a worker serves: those of the normal tasks of its queues, and those of their
// isolated tasks if the worker has such definitions or has found such tasks. Any task can become isolated,
// because its worker has crashed; a worker without isolated definitions opens no connections to Redis for
// that before it happens.
import { deliveryQueueOf } from '../definitions/delivery-queue.ts'

export interface ServedQueues {
  /** Names of the delivery queues. The list becomes longer when queues are added. */
  readonly all: readonly string[]
  /** Adds the isolated tasks of a queue. */
  addIsolated(queue: string): void
  /** Adds the isolated tasks of each queue that has some. */
  addFound(): Promise<void>
}

export interface ServedQueuesOptions {
  queues: readonly string[]
  /** Whether the worker has isolated processes. Without them no isolated tasks are added. */
  hasProcesses: boolean
  /** Returns which of these queues have unfinished isolated tasks. */
  findIsolated: (queues: string[]) => Promise<string[]>
  /** Called with the name of each added delivery queue. */
  onAdded: (deliveryQueue: string) => void
}

export function createServedQueues(options: ServedQueuesOptions): ServedQueues {
  const { queues, hasProcesses, findIsolated, onAdded } = options
  const all = [...queues]

  return {
    all,
    addIsolated,
    async addFound() {
      const others = queues.filter((queue) => !all.includes(deliveryQueueOf({ queue, isIsolated: true })))
      if (!hasProcesses || others.length === 0) return
      for (const queue of await findIsolated(others)) addIsolated(queue)
    },
  }

  function addIsolated(queue: string) {
    const name = deliveryQueueOf({ queue, isIsolated: true })
    if (!hasProcesses || all.includes(name)) return
    all.push(name)
    onAdded(name)
  }
}
