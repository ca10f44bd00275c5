// Makes partitions ahead of time, and removes old tasks, idempotency keys and statistics. Every worker runs
// this loop. Changes of partitions exclude each other, and deletes skip rows that another worker deletes.
import { type Loop, pause, startLoop } from '../../base/loop.ts'
import type { ActivityStore } from '../../store/activity-store.ts'
import { type RetentionPolicy, rowRulesOf } from '../../store/retention-policy.ts'
import { LOWEST_ID, type RetentionStore } from '../../store/retention-store.ts'
import type { KeyPosition, UniqueStore } from '../../store/unique/unique-store.ts'
import type { Events } from '../../telemetry/events.ts'

export interface RetentionDependencies {
  store: RetentionStore
  activityStore: ActivityStore
  /** Removes what no task and no limit needs any more. */
  cleanLimits: () => Promise<void>
  /** Deletes keys of unique tasks that no task needs any more. */
  pruneKeysOfUnique: UniqueStore['prune']
  events: Events
  policy: RetentionPolicy
  /** How long idempotency keys are kept, in milliseconds. */
  keysKeptMs: number
  intervalMs: number
}

type Expiry = Awaited<ReturnType<RetentionStore['expirePartitions']>>
type Partition = Expiry['remaining'][number]

// Number of rows that one statement scans or deletes, so that the statement holds its row locks only for some
// tens of milliseconds.
const BATCH = 1_000
// How often tasks are scanned again. The new scan finds tasks that were still unfinished or locked when the
// last one passed them.
const RESTART_SCAN_MS = 3_600_000
// Pauses after a replacement of partitions that was not completed: it can have copied many tasks in vain.
// Compaction only saves disk space, so it waits longer.
const RETRY_COMPACT_MS = 3_600_000
const RETRY_EXPIRE_MS = 300_000
// How often all keys of unique tasks are scanned.
const UNIQUE_SCAN_MS = 600_000

export function startRetention(dependencies: RetentionDependencies): Loop {
  const { store, activityStore, cleanLimits, pruneKeysOfUnique, events, policy } = dependencies
  const { keysKeptMs, intervalMs } = dependencies
  const rules = rowRulesOf(policy)
  const scans = new Map<string, { afterId: string; begunMs: number }>()
  let lateAtMs = Number.NEGATIVE_INFINITY
  let uniqueAtMs = Number.NEGATIVE_INFINITY
  let expireAtMs = Number.NEGATIVE_INFINITY
  let expiry: Expiry = { replaced: [], remaining: [], thinned: [] }
  let compactAtMs = Number.NEGATIVE_INFINITY
  const onError = (error: unknown) => void events.emit('error.transient', { where: 'retention', error })
  const loop = startLoop({ intervalMs, body: removeOld, onError })
  return { ...loop, wake }

  /** Starts a round in which no step waits for the end of its pause. */
  function wake() {
    lateAtMs = Number.NEGATIVE_INFINITY
    uniqueAtMs = Number.NEGATIVE_INFINITY
    expireAtMs = Number.NEGATIVE_INFINITY
    compactAtMs = Number.NEGATIVE_INFINITY
    scans.clear()
    loop.wake()
  }

  async function removeOld(stopping: AbortSignal) {
    const steps = [
      () => store.extend(policy),
      () => activityStore.prune(),
      cleanLimits,
      () => inBatches(() => store.pruneKeys(keysKeptMs, BATCH), stopping),
      () => pruneUnique(stopping),
      expirePartitions,
      () => pruneByRules(stopping),
      () => pruneRemaining(expiry.remaining, stopping),
      () => pruneLate(stopping),
      compact,
    ]
    // If a step fails, for example because a table stays locked, the others still run.
    for (const step of steps) {
      if (stopping.aborted) return
      await step().catch(onError)
    }
  }

  async function pruneUnique(stopping: AbortSignal) {
    if (performance.now() - uniqueAtMs < UNIQUE_SCAN_MS) return
    uniqueAtMs = performance.now()
    let position: KeyPosition | null = { name: '', key: '' }
    await inBatches(async () => {
      position = position && (await pruneKeysOfUnique(position, BATCH))
      return position ? BATCH : 0
    }, stopping)
  }

  async function expirePartitions() {
    if (performance.now() < expireAtMs) return
    expiry = await store.expirePartitions(policy)
    if (expiry.error !== undefined) onError(expiry.error)
    if (expiry.error !== undefined || expiry.remaining.length > 0)
      expireAtMs = performance.now() + RETRY_EXPIRE_MS
  }

  async function compact() {
    if (performance.now() < compactAtMs) return
    // Set before the call, so that the pause also follows an error, for example if the tables stay in use.
    compactAtMs = performance.now() + RETRY_COMPACT_MS
    if ((await store.compactOldest(policy)) !== 'busy') compactAtMs = Number.NEGATIVE_INFINITY
  }

  async function pruneByRules(stopping: AbortSignal) {
    for (const rule of rules) {
      await inBatches(async () => ((await store.pruneByRule(rule, BATCH)).isMore ? BATCH : 0), stopping)
    }
  }

  /** Deletes old tasks of partitions that could not be replaced. Continues where the last round stopped. */
  async function pruneRemaining(partitions: Partition[], stopping: AbortSignal) {
    for (const partition of partitions) {
      await inBatches(async () => {
        const scan = scanOf(partition)
        const { lastId, isAtEnd } = await store.pruneTasks(partition, policy, scan.afterId, BATCH)
        scan.afterId = lastId
        return isAtEnd ? 0 : BATCH
      }, stopping)
    }
  }

  /** Deletes old tasks that ended long after their submission, so that they were not old enough before. */
  async function pruneLate(stopping: AbortSignal) {
    if (performance.now() - lateAtMs < RESTART_SCAN_MS) return
    for (const rule of rules) await inBatches(() => store.pruneLate(rule, BATCH), stopping)
    for (const partition of expiry.thinned)
      await inBatches(() => store.pruneThinned(partition, policy, BATCH), stopping)
    lateAtMs = performance.now()
  }

  function scanOf({ suffix }: Partition) {
    const known = scans.get(suffix)
    if (known && performance.now() - known.begunMs < RESTART_SCAN_MS) return known
    const scan = { afterId: LOWEST_ID, begunMs: performance.now() }
    scans.set(suffix, scan)
    return scan
  }
}

/**
 * Calls `work` until it resolves with less than `BATCH`. After each call it pauses as long as the call took,
 * so that this worker spends at most half of the time with deletes.
 */
async function inBatches(work: () => Promise<number>, stopping: AbortSignal) {
  for (let count = BATCH; count >= BATCH && !stopping.aborted; ) {
    const beganMs = performance.now()
    count = await work()
    if (count >= BATCH) await pause(performance.now() - beganMs, stopping)
  }
}
