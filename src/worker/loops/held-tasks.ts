// Claims and starts held tasks, as far as slots are free and limits allow, and ends those that have expired. Every
// worker does this for its queues. No worker is elected: the transaction of a claim locks the limits.
import { type Loop, startLoop } from '../../base/loop.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import { deliveryQueueOf, queuePartOf } from '../../definitions/delivery-queue.ts'
import { limitsOf, PRIORITIES, type Priority } from '../../definitions/limits.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { DuePart } from '../../store/held/claim-held.ts'
import type { ExpiredTask, LimitStore } from '../../store/held/limit-store.ts'
import type { Events } from '../../telemetry/events.ts'
import type { Slots } from '../attempts/slots.ts'
import type { Heartbeat } from '../heartbeat.ts'

export interface HeldTasksDependencies {
  workerId: string
  /** Names of the delivery queues that the worker serves. The list may become longer. */
  queues: readonly string[]
  store: LimitStore
  /** The definitions of this worker. It writes their limits when it starts. */
  definitions: readonly TaskDefinition[]
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
  events: Events
  /** AbortSignal that aborts when the worker begins to stop. After that, no task is claimed. */
  stopping: AbortSignal
  intervalMs: number
}

// Maximum number of tasks of one claim. It locks as many groups of each priority and definition.
const MAX_CLAIM = 100
// Minimum pause before the next round, so that slots that are freed at about the same time are used together.
const MIN_PAUSE_MS = 5

export function startHeldTasks(dependencies: HeldTasksDependencies): Loop {
  const { workerId, queues, store, definitions, heartbeat, slots, isolatedSlots } = dependencies
  const { runningIds, run, release, onUnknownClaim, onExpired, events, stopping, intervalMs } = dependencies
  let startNumber = 0
  let areLimitsWritten = false
  /** By delivery queue: the highest priority of its tasks that wait for a slot. */
  const waitingOf = new Map<string, Priority>()
  /** Whether Postgres has not answered a claim, which may be committed. */
  let isClaimUnknown = false
  const loop = startLoop({
    intervalMs,
    body: round,
    onError: (error) => events.emit('error.transient', { where: 'held tasks', error }),
  })
  return {
    wake: loop.wake,
    async stop() {
      await loop.stop()
      if (isClaimUnknown) onUnknownClaim()
    },
  }

  async function round(): Promise<number | undefined> {
    if (!areLimitsWritten) await writeLimits()
    if (isClaimUnknown) await findUnknownClaims()
    const { due, msUntilTurn, hasExpired } = await store.read(queues.map(queuePartOf))
    if (hasExpired) await endExpired()
    const pauses = msUntilTurn === null ? [] : [msUntilTurn]
    for (const part of waitingOf.keys())
      if (!due.some((other) => deliveryQueueOf(other) === part)) noteWaiting(part, null)
    for (const part of due) {
      const pauseMs = await startTasksOf(part)
      if (pauseMs !== undefined) pauses.push(pauseMs)
    }
    return pauses.length > 0 ? Math.max(MIN_PAUSE_MS, Math.min(...pauses)) : undefined
  }

  async function writeLimits(): Promise<void> {
    await store.writeDefinitions(
      definitions.map((definition) => ({ name: definition.name, limits: limitsOf(definition) })),
    )
    areLimitsWritten = true
  }

  /** @returns milliseconds until the next claim can start tasks; undefined if that is not known */
  async function startTasksOf(part: DuePart): Promise<number | undefined> {
    const own = part.isIsolated ? isolatedSlots : slots
    for (;;) {
      const granted = own.reserveHeld(MAX_CLAIM)
      if (granted === 0) {
        // The next slot shows whether they wait for a slot only.
        noteWaiting(deliveryQueueOf(part), PRIORITIES[part.priority] ?? null)
        wakeWhenAvailable(own)
        return undefined
      }
      const claim = await claimWith(own, granted, part)
      if (stopping.aborted) return undefined
      if (claim.waiting !== null) wakeWhenAvailable(own)
      if (!claim.isMore) return claim.msUntilStart ?? undefined
    }
  }

  async function claimWith(own: Slots, granted: number, part: DuePart) {
    let tasks: ClaimedTask[] = []
    let waiting: Priority | null = null
    try {
      await heartbeat.ensureHeartbeat()
      isClaimUnknown = true
      const claim = await store.claim(part, { slots: granted, workerId, startNumber })
      isClaimUnknown = false
      ;({ tasks, waiting } = claim)
      return claim
    } finally {
      noteWaiting(deliveryQueueOf(part), waiting)
      own.release(granted - tasks.length)
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
    await release(tasks)
    isClaimUnknown = false
  }

  async function endExpired(): Promise<void> {
    for (let isMore = true; isMore && !stopping.aborted; ) {
      const expired = await store.expire()
      isMore = expired.isMore
      if (expired.tasks.length > 0) onExpired(expired.tasks)
    }
  }

  function wakeWhenAvailable(own: Slots) {
    if (own.capacity > 0 && !stopping.aborted) void own.whenHeldAvailable().then(() => loop.wake())
  }
}
