// Answers deliveries: claims what the free slots allow, starts it, and gives the rest back.

import { createGroupCommit, writeLists } from '../base/group-commit.ts'
import { pause } from '../base/loop.ts'
import type { Delivery, FetchedDelivery, Queue, TaskReference } from '../redis/queue.ts'
import type { Claim, ClaimedTask, TaskStore } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Slots } from './slots.ts'

export interface ClaimerDependencies {
  workerId: string
  queue: Queue
  store: TaskStore
  slots: Slots
  heartbeat: Heartbeat
  /** Puts tasks back that were claimed and not run, or not to their end. */
  release: (tasks: ClaimedTask[]) => Promise<void>
  /** Runs a claimed task; its slot is given back when the handler has settled. */
  run: (task: ClaimedTask) => Promise<void>
  events: Events
  /** Aborts when the worker stops: nothing is claimed any more. */
  stopping: AbortSignal
}

export interface Claimer {
  /**
   * Handles one delivery, and resolves when a slot is free again: only then may the next one be fetched, so that no
   * worker sits on a delivery while another is idle. Never rejects.
   */
  take(queueName: string, delivery: FetchedDelivery): Promise<void>
  /** Resolves when no claim is under way. */
  settled(): Promise<void>
}

const CLAIM_RETRY_MS = 1_000

export function createClaimer(dependencies: ClaimerDependencies): Claimer {
  const { workerId, queue, store, slots, heartbeat, run, release, events, stopping } = dependencies
  // By the list, as they are rung: nobody waits for one of them alone.
  const claims = createGroupCommit<Claim[], (ClaimedTask | null)[]>({
    name: 'claims',
    write: writeLists(store.claimMany),
    onWritten: (written) => events.emit('batch.written', { kind: 'claims', size: written.flat().length }),
  })
  const underWay = new Set<Promise<unknown>>()

  return {
    take,
    async settled() {
      await Promise.all(underWay)
    },
  }

  async function take(
    queueName: string,
    { references, enqueuedAtMs, acknowledge }: FetchedDelivery,
  ): Promise<void> {
    let rest = references
    while (rest.length > 0) {
      const granted = slots.reserve(rest.length)
      // Slots of claims under way may be free in a moment, when their tasks are gone or quick. Those of running
      // tasks are not waited for: another worker may be idle.
      if (granted === 0 && underWay.size > 0) await Promise.race(underWay)
      else if (granted === 0) break
      else await claimAndStart(rest.slice(0, granted))
      rest = rest.slice(granted)
    }
    if (rest.length > 0) await returnToQueue(queueName, { references: rest, enqueuedAtMs })
    if (slots.available > 0) return
    await acknowledge().catch((error) =>
      events.emit('error.transient', { where: 'letting go of a delivery', error }),
    )
    await slots.whenAvailable()
  }

  /** Resolves with the claims, not with the runs: from here on Postgres and the heartbeat answer for the tasks. */
  async function claimAndStart(references: TaskReference[]): Promise<void> {
    const started = claimForSure(references).then((tasks) => {
      slots.release(references.length - tasks.length)
      return start(tasks)
    })
    underWay.add(started)
    await started
    underWay.delete(started)
  }

  async function claimForSure(references: TaskReference[]): Promise<ClaimedTask[]> {
    for (let isRepeated = false; !stopping.aborted; isRepeated = true) {
      try {
        await heartbeat.ensureHeartbeat()
        const answers = await claims.submit(
          references.map(({ id, attempt }) => ({ id, attempt, workerId, isRepeated })),
        )
        return answers.filter((task) => task !== null)
      } catch (error) {
        // Perhaps it was written and only the answer was lost: ask again, and take what is already ours.
        events.emit('error.transient', { where: 'claiming', error })
        await pause(CLAIM_RETRY_MS, stopping)
      }
    }
    return []
  }

  async function start(tasks: ClaimedTask[]): Promise<void> {
    if (stopping.aborted) {
      // The answer came when we had begun to stop: they were never started, and go back as if nothing had been.
      slots.release(tasks.length)
      return release(tasks)
    }
    for (const task of tasks)
      run(task).catch((error) => events.emit('error.unexpected', { where: `running ${task.name}`, error }))
  }

  async function returnToQueue(queueName: string, delivery: Delivery): Promise<void> {
    // When Redis has gone meanwhile, the reconciler finds them.
    await queue.returnToQueue(queueName, delivery).catch((error) => {
      events.emit('enqueue.failed', { count: delivery.references.length, error })
    })
  }
}
