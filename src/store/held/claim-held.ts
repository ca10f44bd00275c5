// Claims held tasks for a worker, as far as their limits allow. One transaction: it locks the limits, so that
// no other worker starts tasks under them, then reads their use, decides, and starts the tasks. Its commit
// waits for the disk: a claim that a crash of Postgres has undone would free a slot that is still in use.
import { PRIORITIES, type Priority } from '../../definitions/limits.ts'
import { CLAIMED_COLUMNS, type ClaimedTask } from '../claim.ts'
import { type BatchStatement, doubles, integers, isKey, uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import { lockGroups, lockLimits, lockNameOf } from './claim-locks.ts'
import { type Grants, grantStarts } from './grants.ts'
import { readUsage, writeStarts, writeTurns } from './limit-usage.ts'
import type { DuePart } from './read-held.ts'

export interface HeldClaim {
  tasks: ClaimedTask[]
  /** Whether more may be claimed now: slots are left, and groups have been passed over. */
  isMore: boolean
  /** Highest priority of the tasks that wait only for a slot of this worker; null if there are none. */
  waiting: Priority | null
  /** Milliseconds until a rate limit allows the next start; null if none is in the way. */
  msUntilStart: number | null
}

export interface HeldClaimOptions {
  workerId: string
  /**
   * Number of held tasks that this worker has started. It decides which priority comes first
   * (`firstPriorityAt`).
   */
  startNumber: number
  /**
   * Reserves slots and returns their number. Called when the limits are locked, so that no slot is kept from
   * other tasks while this claim waits.
   */
  reserve: () => number
}

// Pause before the next claim if this one found all groups locked, or limits that it has not locked.
const AGAIN_MS = 10

/** Claims as many held tasks as it can reserve slots. The caller releases those that are not used. */
export function claimHeld(
  database: Database,
  { queue, isIsolated, names }: Omit<DuePart, 'priority'>,
  { reserve, workerId, startNumber }: HeldClaimOptions,
): Promise<HeldClaim> {
  const nothing: HeldClaim = { tasks: [], isMore: false, waiting: null, msUntilStart: null }
  return database.transaction(async (transaction) => {
    const locked = await lockLimits(transaction, queue, names)
    const slots = reserve()
    if (slots === 0) return nothing
    const ids = await lockGroups(transaction, { queue, isIsolated, names }, slots)
    if (ids.length === 0) return { ...nothing, msUntilStart: AGAIN_MS }
    const { groups, usage, isPaused } = await readUsage(transaction, { queue, names, ids, slots })
    if (isPaused) return nothing
    // Limits that have been set since then are not locked.
    if (usage.limits.some((limits) => !locked.has(lockNameOf(limits))))
      return { ...nothing, msUntilStart: AGAIN_MS }
    const grants = grantStarts(groups, usage, slots, startNumber)
    const tasks = await start(transaction, grants, workerId, usage.nowMs)
    await writeTurns(
      transaction,
      tasks.length < countOf(grants) ? withTurnsSoon(grants, usage.nowMs) : grants,
    )
    await writeStarts(transaction, grants, usage.nowMs)
    const { waitingPriority } = grants
    const nextMs = nextStartOf(grants)
    return {
      tasks: tasks.map((task) => ({ ...task, isHeld: true })),
      isMore: grants.groups.some(({ turn }) => turn !== null) && tasks.length < slots,
      waiting: waitingPriority === null ? null : (PRIORITIES[waitingPriority] ?? null),
      msUntilStart: nextMs === null ? null : Math.max(0, nextMs - usage.nowMs),
    }
  })
}

/**
 * Returns the earliest time at which a rate limit allows a start or a group has its next turn, in ms since
 * 1970; null if there is no such time.
 */
function nextStartOf({ groups, retryAtMs }: Grants): number | null {
  const turns = groups.flatMap(({ turn }) => (typeof turn === 'number' ? [turn] : []))
  const times = retryAtMs === null ? turns : [...turns, retryAtMs]
  return times.length > 0 ? Math.min(...times) : null
}

function countOf({ groups }: Grants): number {
  return groups.reduce((sum, { count }) => sum + count, 0)
}

// A group with a task that was granted a start and did not wait any more has its next turn after this time.
// Its other tasks may start then. It is not 0, so that a claim is not repeated without a pause.
const REFUSED_TURN_MS = 100

/** Gives the groups with granted starts a turn soon: some of their tasks did not wait any more. */
function withTurnsSoon(grants: Grants, nowMs: number): Grants {
  const turn = nowMs + REFUSED_TURN_MS
  return { ...grants, groups: grants.groups.map((group) => (group.count > 0 ? { ...group, turn } : group)) }
}

/**
 * Starts the granted tasks. Removes those that do not wait any more. Skips expired ones, which use no start
 * of a rate limit and delay no other task of their group until they are ended.
 */
async function start(
  transaction: Transaction,
  { groups }: Grants,
  workerId: string,
  nowMs: number,
): Promise<ClaimedTask[]> {
  const granted = groups.filter(({ count }) => count > 0)
  if (granted.length === 0) return []
  return transaction.run(START, {
    group_id: doubles(granted.map(({ id }) => id)),
    count: integers(granted.map(({ count }) => count)),
    worker_id: uuids(granted.map(() => workerId)),
    now_ms: doubles(granted.map(() => nowMs)),
  })
}

const START: BatchStatement = {
  name: 'start_held_tasks',
  build: (rows) => sql`
    with picked as materialized (
      select first.task_id as id, given.worker_id, to_timestamp(given.now_ms / 1000) as now
      from ${rows}, lateral (
        select task_id from held_tasks
        where group_id = given.group_id::bigint and started_at is null and due_at <= statement_timestamp()
          and (expires_at is null or expires_at > statement_timestamp())
        order by due_at, task_id limit given.count
      ) as first
      order by first.task_id
    ), claimed as (
      update tasks set status = 'STARTED', attempt = tasks.attempt + 1, worker_id = picked.worker_id, started_at = picked.now,
             enqueued_at = picked.now, progress_fraction = 0, progress_message = null, version = version + 1
      from picked
      -- A submission that has changed the input or the start of a unique task may have taken it out of the group.
      where ${isKey('tasks.id', 'picked.id')} and tasks.status in ('PENDING', 'RETRY')
        and tasks.enqueued_at = 'infinity'
      returning ${CLAIMED_COLUMNS}
    ), started as (
      -- A task that has started does not expire any more.
      update held_tasks set started_at = picked.now, worker_id = picked.worker_id, expires_at = null
      from picked where ${isKey('held_tasks.task_id', 'picked.id')} and picked.id in (select id from claimed)
    ), removed as (
      delete from held_tasks using picked
      where ${isKey('held_tasks.task_id', 'picked.id')} and picked.id not in (select id from claimed)
    )
    select * from claimed`,
}
