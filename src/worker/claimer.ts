// Handles deliveries of task references: claims as many tasks as the worker has free slots, starts them, and
// returns the other references to the queue in Redis.
import { createGroupCommit, writeLists } from '../base/group-commit.ts'
import { pause } from '../base/loop.ts'
import type { Delivery, FetchedDelivery, Queue, TaskReference } from '../redis/queue.ts'
import type { Claim, ClaimedTask } from '../store/claim.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { Slots } from './attempts/slots.ts'
import type { Heartbeat } from './heartbeat.ts'
import { REPORTED_BLOCK_MS } from './watchdog/watchdog.ts'

export interface ClaimerDependencies {
  workerId: string
  queue: Queue
  store: TaskStore
  slots: Slots
  heartbeat: Heartbeat
  /** Releases tasks that were claimed but not started: STARTED becomes PENDING. */
  release: (tasks: ClaimedTask[]) => Promise<unknown>
  /** Called when tasks were released although the worker does not stop, so that they are enqueued again. */
  onReleased: () => void
  /** Called when the worker stops while it is not known whether a claim was committed. */
  onUnknownClaim: () => void
  /** Runs a claimed task, and frees its slot (see `Runner.run`). */
  run: (task: ClaimedTask) => Promise<void>
  events: Events
  /** AbortSignal that aborts when the worker begins to stop. After that, no task is claimed. */
  stopping: AbortSignal
  /** How long a failing claim is repeated, in milliseconds, before its references return to the queue. */
  claimLimitMs: number
}

export interface Claimer {
  /**
   * Claims and starts the tasks of one delivery. Resolves when a slot is available, because only then may the
   * worker fetch the next delivery: a worker without slots must not hold deliveries that another worker could
   * run. Never rejects.
   */
  handle(queueName: string, delivery: FetchedDelivery): Promise<void>
  /** Resolves when the claims that have been sent are done and their tasks started or released. */
  whenIdle(): Promise<void>
}

const CLAIM_RETRY_MS = 1_000
const ACKNOWLEDGE_RETRY_MS = 1_000

export function createClaimer(dependencies: ClaimerDependencies): Claimer {
  const {
    onUnknownClaim,
    workerId,
    queue,
    store,
    slots,
    heartbeat,
    run,
    release,
    events,
    stopping,
    claimLimitMs,
  } = dependencies
  const { onReleased } = dependencies
  // Group commit of claims: lists of claims that are added during a write are written together by the next
  // statement. Tasks that are claimed for one delivery are one list, so that they are started together.
  const claims = createGroupCommit<Claim[], (ClaimedTask | null)[]>({
    name: 'claims',
    write: writeLists(store.claimMany),
    onWritten: (written) => events.emit('batch.written', { kind: 'claims', size: written.flat().length }),
  })
  const underWay = new Set<Promise<unknown>>()

  return {
    handle,
    async whenIdle() {
      await Promise.all(underWay)
    },
  }

  async function handle(queueName: string, delivery: FetchedDelivery): Promise<void> {
    const { enqueuedAtMs, acknowledge } = delivery
    const { rest, hasGivenUp } = await claimWhileSlots(delivery.references)
    if (rest.length > 0) await returnToQueue(queueName, { references: rest, enqueuedAtMs })
    if (slots.available > 0 && !hasGivenUp) return
    // Not awaited: Bee-Queue acknowledges the delivery once more when this function returns.
    void acknowledgeUntilDone(acknowledge)
    // A worker that cannot reach Postgres fetches nothing: other workers may reach it.
    if (hasGivenUp) await heartbeatUntilAnswered()
    await slots.whenAvailable()
  }

  /**
   * Claims and starts tasks while slots are free.
   * @returns the references for which no slot was free or whose claim was given up
   */
  async function claimWhileSlots(
    references: TaskReference[],
  ): Promise<{ rest: TaskReference[]; hasGivenUp: boolean }> {
    let rest = references
    while (rest.length > 0) {
      const granted = slots.reserve(rest.length)
      // If no slot is free, waits for claims that are under way, because slots may be free soon after: failed
      // claims return their slots, and short tasks end. Does not wait for running tasks, because another
      // worker may have free slots.
      if (granted === 0 && underWay.size > 0) await Promise.race(underWay)
      else if (granted === 0) break
      else if (!(await claimAndStart(rest.slice(0, granted)))) return { rest, hasGivenUp: true }
      rest = rest.slice(granted)
    }
    return { rest, hasGivenUp: false }
  }

  /**
   * Claims tasks and starts them. Resolves when they are claimed and started. From the claim on they need no
   * delivery in Redis: if this worker dies, the reconciler of another worker recovers them.
   * @returns false if the claim was given up
   */
  async function claimAndStart(references: TaskReference[]): Promise<boolean> {
    const claimed = claimUntilAnswered(references)
    const started = claimed.then((tasks) => {
      slots.release(references.length - (tasks?.length ?? 0))
      return start(tasks ?? [])
    })
    underWay.add(started)
    await started
    underWay.delete(started)
    return (await claimed) !== null
  }

  /**
   * Returns the claimed tasks; null if no claim was answered within `claimLimitMs`. A claim that was
   * committed without an answer is then found by the reconciler: its task is STARTED and does not run here.
   */
  async function claimUntilAnswered(references: TaskReference[]): Promise<ClaimedTask[] | null> {
    const startedMs = performance.now()
    let isRepeated = false
    for (; !stopping.aborted; isRepeated = true) {
      try {
        await heartbeat.ensureHeartbeat()
        const results = await claims.add(
          references.map(({ id, attempt }) => ({ id, attempt, workerId, isRepeated })),
        )
        return results.filter((task) => task !== null)
      } catch (error) {
        // Repeats the claim after a pause. The failed claim may be committed and only its response lost; a
        // repeated claim (`isRepeated`) also returns tasks that this worker has already claimed.
        events.emit('error.transient', { where: 'claiming', error })
        if (performance.now() - startedMs > claimLimitMs) return null
        await pause(CLAIM_RETRY_MS, stopping)
      }
    }
    if (isRepeated) onUnknownClaim()
    return []
  }

  async function heartbeatUntilAnswered(): Promise<void> {
    while (!stopping.aborted) {
      // Pauses also before the first try: a heartbeat that is young enough is not sent again.
      await pause(CLAIM_RETRY_MS, stopping)
      try {
        return await heartbeat.ensureHeartbeat()
      } catch {
        // The loop of the heartbeat reports the error.
      }
    }
  }

  /** A delivery that is not acknowledged hides the loss of later ones from the reconciler. */
  async function acknowledgeUntilDone(acknowledge: () => Promise<void>): Promise<void> {
    while (!stopping.aborted) {
      try {
        return await acknowledge()
      } catch (error) {
        events.emit('error.transient', { where: 'acknowledging a delivery', error })
        await pause(ACKNOWLEDGE_RETRY_MS, stopping)
      }
    }
  }

  async function start(tasks: ClaimedTask[]): Promise<void> {
    if (stopping.aborted) {
      // The worker began to stop during the claim, so the claimed tasks are released without being started.
      slots.release(tasks.length)
      await release(tasks)
      return
    }
    let startedMs = performance.now()
    for (const [index, task] of tasks.entries()) {
      run(task).catch((error) => events.emit('error.unexpected', { where: `running ${task.name}`, error }))
      const returnedMs = performance.now()
      if (returnedMs - startedMs > REPORTED_BLOCK_MS) return releaseUnstarted(tasks.slice(index + 1))
      startedMs = returnedMs
    }
  }

  /**
   * Releases tasks that could not start because a handler has blocked the event loop. Others may run them.
   */
  async function releaseUnstarted(tasks: ClaimedTask[]): Promise<void> {
    slots.release(tasks.length)
    await release(tasks)
    onReleased()
  }

  async function returnToQueue(queueName: string, delivery: Delivery): Promise<void> {
    // If Redis cannot be reached, the references are not returned and so are lost. The reconciler
    // finds that and marks their tasks as not enqueued.
    await queue.returnToQueue(queueName, delivery).catch((error) => {
      events.emit('enqueue.failed', { count: delivery.references.length, error })
    })
  }
}
