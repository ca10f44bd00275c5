// Claims and starts held tasks, as far as slots are free and limits allow, and ends those that have expired.
// Every worker does this for its queues. No worker is elected: the transaction of a claim locks the limits.
import { type Loop, startLoop } from '../../base/loop.ts'
import { deliveryQueueOf, queuePartOf } from '../../definitions/delivery-queue.ts'
import { PRIORITIES, type Priority } from '../../definitions/limits.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { HeldClaim } from '../../store/held/claim-held.ts'
import type { ExpiredTask, LimitStore } from '../../store/held/limit-store.ts'
import type { DuePart } from '../../store/held/read-held.ts'
import type { Events } from '../../telemetry/events.ts'
import type { Slots } from '../attempts/slots.ts'
import type { Heartbeat } from '../heartbeat.ts'

export interface HeldTasksDependencies {
  workerId: string
  /** Names of the delivery queues that the worker serves. The list may become longer. */
  queues: readonly string[]
  store: LimitStore
  heartbeat: Heartbeat
  slots: Slots
  isolatedSlots: Slots
  /** Ids of the tasks that this worker runs. */
  runningIds: () => string[]
  /** Starts a claimed task in a reserved slot. */
  run: (task: ClaimedTask, isIsolated: boolean) => void
  /** Releases tasks that were claimed but not started: STARTED becomes PENDING. */
  release: (tasks: ClaimedTask[]) => Promise<unknown>
  /** Called when the worker stops while it is not known whether a claim was committed. */
  onUnknownClaim: () => void
  onExpired: (tasks: ExpiredTask[]) => void
  /**
   * Called when attempts have ended, and other workers may be able to start tasks that this one does not
   * start.
   */
  onFreed: () => void
  events: Events
  /** AbortSignal that aborts when the worker begins to stop. After that, no task is claimed. */
  stopping: AbortSignal
  intervalMs: number
}

// Maximum number of tasks of one claim. It locks as many groups of each priority and definition.
const MAX_CLAIM = 100
// Minimum pause before the next round, so that slots that are freed at about the same time are used together.
const MIN_PAUSE_MS = 5

export interface HeldTasks extends Loop {
  /** Says that attempts of held tasks of this worker have ended: their limits may allow other starts. */
  freed(): void
}

export function startHeldTasks(dependencies: HeldTasksDependencies): HeldTasks {
  const { workerId, queues, store, heartbeat, slots, isolatedSlots } = dependencies
  const { runningIds, run, release, onUnknownClaim, onExpired, onFreed, events } = dependencies
  const { stopping, intervalMs } = dependencies
  let startNumber = 0
  /** Delivery queue of the part whose tasks were started last. */
  let servedLast: string | undefined
  /** Whether the loop is woken when a slot is free. */
  const isWaitingFor = new Set<Slots>()
  /** By delivery queue: the highest priority of its tasks that wait for a slot. */
  const waitingOf = new Map<string, Priority>()
  /** Whether Postgres has not answered a claim, which may be committed. */
  let isClaimUnknown = false
  /** Whether attempts have ended since the last round began. */
  let hasFreed = false
  const loop = startLoop({
    intervalMs,
    body: startTasks,
    onError: (error) => events.emit('error.transient', { where: 'held tasks', error }),
  })
  return {
    wake: loop.wake,
    freed() {
      hasFreed = true
      if (stopping.aborted) onFreed()
      else loop.wake()
    },
    async stop() {
      await loop.stop()
      if (isClaimUnknown) onUnknownClaim()
    },
  }

  /**
   * One round. What attempts have freed, this worker uses first: waking all workers for each end would make
   * them wait for each other's locks. The others are woken if tasks are left for which only this worker has
   * no slot.
   */
  async function startTasks(): Promise<number | undefined> {
    const mayLeave = hasFreed
    hasFreed = false
    let isSure = false
    try {
      const pauseMs = await round()
      isSure = !stopping.aborted
      return pauseMs
    } finally {
      if (mayLeave && (!isSure || waitingOf.size > 0)) onFreed()
    }
  }

  async function round(): Promise<number | undefined> {
    if (isClaimUnknown) await findUnknownClaims()
    const { due, msUntilTurn, hasExpired } = await store.read(queues.map(queuePartOf))
    if (hasExpired) await endExpired()
    const pauses = msUntilTurn === null ? [] : [msUntilTurn]
    for (const part of waitingOf.keys())
      if (!due.some((other) => deliveryQueueOf(other) === part)) noteWaiting(part, null)
    for (const part of inTurn(due)) {
      const pauseMs = await startTasksOf(part)
      if (pauseMs !== undefined) pauses.push(pauseMs)
    }
    return pauses.length > 0 ? Math.max(MIN_PAUSE_MS, Math.min(...pauses)) : undefined
  }

  /** Parts of queues take turns: the one that was served last comes last. */
  function inTurn(due: DuePart[]): DuePart[] {
    const after = due.findIndex((part) => deliveryQueueOf(part) === servedLast) + 1
    return [...due.slice(after), ...due.slice(0, after)]
  }

  /** @returns milliseconds until the next claim can start tasks; undefined if that is not known */
  async function startTasksOf(part: DuePart): Promise<number | undefined> {
    const own = part.isIsolated ? isolatedSlots : slots
    let pauseMs: number | undefined
    for (;;) {
      if (own.availableForHeld === 0) return waitForSlot(own, part, pauseMs)
      const claim = await claimWith(own, part)
      if (stopping.aborted) return undefined
      // While the claim waited for its locks in Postgres, tasks from Redis have taken the free slots of this
      // worker.
      if (claim === undefined) return waitForSlot(own, part, pauseMs)
      const { tasks, waiting, isMore, msUntilStart } = claim
      if (tasks.length > 0) servedLast = deliveryQueueOf(part)
      if (waiting !== null) wakeWhenAvailable(own)
      if (msUntilStart !== null) pauseMs = Math.min(pauseMs ?? msUntilStart, msUntilStart)
      if (!isMore) return pauseMs
    }
  }

  /**
   * Notes that tasks of the part wait for a slot of this worker, and starts a round when one is free. Whether
   * a limit keeps them from starting too is found out by the claim of that round.
   */
  function waitForSlot(own: Slots, part: DuePart, pauseMs: number | undefined): number | undefined {
    noteWaiting(deliveryQueueOf(part), PRIORITIES[part.priority] ?? null)
    wakeWhenAvailable(own)
    return pauseMs
  }

  /** @returns undefined if no slot was free */
  async function claimWith(own: Slots, part: DuePart): Promise<HeldClaim | undefined> {
    let reserved = 0
    let tasks: ClaimedTask[] = []
    let waiting: Priority | null = null
    const reserve = () => {
      reserved = own.reserveHeld(MAX_CLAIM)
      return reserved
    }
    try {
      await heartbeat.ensureHeartbeat()
      isClaimUnknown = true
      const claim = await store.claim(part, { reserve, workerId, startNumber })
      isClaimUnknown = false
      ;({ tasks, waiting } = claim)
      return reserved > 0 ? claim : undefined
    } finally {
      if (reserved > 0) noteWaiting(deliveryQueueOf(part), waiting)
      own.release(reserved - tasks.length)
      await start(own, tasks, part.isIsolated)
    }
  }

  async function start(own: Slots, tasks: ClaimedTask[], isIsolated: boolean): Promise<void> {
    startNumber += tasks.length
    if (stopping.aborted) {
      own.release(tasks.length)
      return void (await release(tasks))
    }
    for (const task of tasks) run(task, isIsolated)
  }

  /** Notes the highest priority of the tasks of a part that wait for a slot, and tells it to the slots. */
  function noteWaiting(part: string, priority: Priority | null) {
    if (priority === null) waitingOf.delete(part)
    else waitingOf.set(part, priority)
    const { isIsolated } = queuePartOf(part)
    const ofSlots = [...waitingOf].filter(([name]) => queuePartOf(name).isIsolated === isIsolated)
    const highest = PRIORITIES.find((one) => ofSlots.some(([, waiting]) => waiting === one))
    const own = isIsolated ? isolatedSlots : slots
    own.setHeldWaiting(highest ?? null)
  }

  /** A claim without an answer may be committed. Its tasks go back to wait. */
  async function findUnknownClaims(): Promise<void> {
    const tasks = await store.claimedBy(workerId, runningIds())
    isClaimUnknown = false
    await release(tasks)
  }

  async function endExpired(): Promise<void> {
    for (let isMore = true; isMore && !stopping.aborted; ) {
      const expired = await store.expire()
      isMore = expired.isMore
      if (expired.tasks.length > 0) onExpired(expired.tasks)
    }
  }

  function wakeWhenAvailable(own: Slots) {
    if (own.capacity === 0 || stopping.aborted || isWaitingFor.has(own)) return
    isWaitingFor.add(own)
    void own.whenHeldAvailable().then(() => {
      isWaitingFor.delete(own)
      loop.wake()
    })
  }
}
