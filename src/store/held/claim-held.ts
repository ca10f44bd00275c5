// Claims held tasks for a worker, as far as their limits allow. One transaction: it locks the limits, so that no other
// worker starts tasks under them, then reads their use, decides, and starts the tasks. Its commit waits for the
// disk: a claim that a crash of Postgres has undone would free a slot that is still in use.

import type { SQL } from 'drizzle-orm'
import type { QueuePart } from '../../definitions/delivery-queue.ts'
import { PRIORITIES, type Priority } from '../../definitions/limits.ts'
import { CLAIMED_COLUMNS, type ClaimedTask } from '../claim.ts'
import { type BatchStatement, doubles, integers, isKey, uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import { recordset, texts } from '../statements.ts'
import { type Grants, grantStarts, type StoredLimits, type Usage, type WaitingGroup } from './grants.ts'

/** A part of a queue with groups whose turn has come. */
export interface DuePart extends Required<QueuePart> {
  /** Names of the definitions of these groups. */
  names: string[]
  /** Index of their highest priority in `PRIORITIES`. */
  priority: number
}

/** What held tasks need now. */
export interface HeldState {
  due: DuePart[]
  /** Milliseconds until the next turn of a group; null if none is known. */
  msUntilTurn: number | null
  hasExpired: boolean
}

export interface HeldClaim {
  tasks: ClaimedTask[]
  /** Whether more may be claimed now: slots are left, and groups have been passed over. */
  isMore: boolean
  /** Highest priority of the tasks that wait only for a slot of this worker; null if there are none. */
  waiting: Priority | null
  /** Milliseconds until a rate limit allows the next start; null if none is in the way. */
  msUntilStart: number | null
}

/** Reads which of these parts have groups whose turn has come. Paused queues are left out. */
export async function readHeld(database: Database, parts: Required<QueuePart>[]): Promise<HeldState> {
  const [row] = await database.query<{ state: HeldState }>(
    sql`
      with recursive part as (
        select queue, "isIsolated" from ${recordset(parts)} as given(queue text, "isIsolated" boolean)
        where not exists (select 1 from paused_queues where paused_queues.name = given.queue)
      ), names as (
        -- Finds the names of the groups of each part with one access to the index per name.
        select queue, "isIsolated", (
          select name from task_groups where task_groups.queue = part.queue and is_isolated = "isIsolated"
          order by name limit 1) as name
        from part
        union all
        select queue, "isIsolated", (
          select name from task_groups where task_groups.queue = names.queue and is_isolated = "isIsolated" and name > names.name
          order by name limit 1)
        from names where name is not null
      ), due as (
        select queue, "isIsolated", json_agg(name) as names, min(priority) as priority
        from names, lateral (
          select level as priority from generate_series(0, 2) as level where exists (
            select 1 from task_groups
            where task_groups.queue = names.queue and is_isolated = "isIsolated" and task_groups.name = names.name
              and task_groups.priority = level and turn_at <= now())
          order by level limit 1
        ) as first
        where name is not null
        group by queue, "isIsolated"
      )
      select json_build_object(
        'due', coalesce((select json_agg(due) from due), '[]'),
        'msUntilTurn', (
          select extract(epoch from min(turn_at) - now())::float8 * 1000 from part, lateral (
            select turn_at from task_groups
            where task_groups.queue = part.queue and is_isolated = "isIsolated" and turn_at > now() and turn_at < 'infinity'
            order by turn_at limit 1) as next),
        'hasExpired', exists (
          select 1 from held_tasks where expires_at is not null and started_at is null and expires_at <= now())
      ) as state`,
    { name: 'read_held' },
  )
  return row?.state ?? { due: [], msUntilTurn: null, hasExpired: false }
}

export interface HeldClaimOptions {
  workerId: string
  /** Number of held tasks that this worker has started, for the turns of priorities. */
  startNumber: number
  /**
   * Reserves slots and returns their number. Called when the limits are locked, so that no slot is kept from other
   * tasks while this claim waits.
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

/** Returns when a limit or a turn allows the next start, in ms since 1970; null if that is not known. */
function nextStartOf({ groups, retryAtMs }: Grants): number | null {
  const turns = groups.flatMap(({ turn }) => (typeof turn === 'number' ? [turn] : []))
  const times = retryAtMs === null ? turns : [...turns, retryAtMs]
  return times.length > 0 ? Math.min(...times) : null
}

function lockNameOf({ scope, name }: Pick<StoredLimits, 'scope' | 'name'>): string {
  return `${scope}:${name}`
}

/**
 * Waits until no other transaction claims tasks under the same limits. All transactions lock in the same order, the
 * queue first.
 * @returns the names of the locks
 */
async function lockLimits(transaction: Transaction, queue: string, names: string[]): Promise<Set<string>> {
  const rows = await transaction.query<Pick<StoredLimits, 'scope' | 'name'>>(
    sql`
      select scope, name, pg_advisory_xact_lock(hashtextextended(scope || ':' || name, ${LOCK_SEED}::bigint))
      from (
        select scope, name from limits
        where scope = 'queue' and name = ${queue} or scope = 'definition' and name in (select value from ${texts(names)})
        order by scope desc, name
      ) as sorted`,
    { name: 'lock_limits' },
  )
  return new Set(rows.map(lockNameOf))
}

// Seed of the hashes that are the keys of the advisory locks: 'lim' in ASCII.
const LOCK_SEED = 0x6c696d

/**
 * Locks groups whose turn has come, at most `slots` of each name and priority. Groups that others have locked are
 * skipped. If these are all, waits for those of one name, of each priority one. No other group is locked then, and the
 * highest priority comes first, as in all statements that lock several groups, so this cannot be a deadlock.
 */
async function lockGroups(
  transaction: Transaction,
  part: Omit<DuePart, 'priority'>,
  slots: number,
): Promise<number[]> {
  const free = await transaction.query<{ id: number }>(lockTurns(part, slots, sql`skip locked`), {
    name: 'lock_groups',
  })
  if (free.length > 0) return free.map(({ id }) => id)
  const [first] = part.names
  const one = { ...part, names: first === undefined ? [] : [first] }
  const waited = await transaction.query<{ id: number }>(lockTurns(one, 1, sql``, 1), { name: 'lock_group' })
  return waited.map(({ id }) => id)
}

// `statement_timestamp()` and not `now()`: the transaction may have waited for its locks.
function lockTurns(
  { queue, isIsolated, names }: Omit<DuePart, 'priority'>,
  slots: number,
  wait: SQL,
  most = Number.MAX_SAFE_INTEGER,
): SQL {
  return sql`
    select turn.id::float8 as id from ${texts(names)} as given, generate_series(0, 2) as level, lateral (
      select id, turn_at from task_groups
      where task_groups.queue = ${queue} and is_isolated = ${isIsolated}::boolean and task_groups.name = given.value
        and priority = level and turn_at <= statement_timestamp()
      order by turn_at limit ${slots}::int for update ${wait}
    ) as turn
    order by turn.turn_at, turn.id limit ${most}::bigint`
}

/** Reads the groups, their limits, and how far these are used. The groups are in the order of the ids. */
async function readUsage(
  transaction: Transaction,
  { queue, names, ids, slots }: { queue: string; names: string[]; ids: number[]; slots: number },
): Promise<{ groups: WaitingGroup[]; usage: Usage; isPaused: boolean }> {
  type Row = { groups: WaitingGroup[]; usage: Usage; isPaused: boolean }
  const [row] = await transaction.query<Row>(
    sql`
      with clock as materialized (select extract(epoch from clock_timestamp())::float8 * 1000 as now_ms),
      locked as materialized (
        select place, task_groups.* from json_array_elements_text(${JSON.stringify(ids)}::json) with ordinality as given(value, place)
        join task_groups on task_groups.id = given.value::bigint
      ), named as materialized (select value as name from ${texts(names)}),
      limited as materialized (
        select scope, name, concurrency, rate_limit, rate_per_ms from limits
        where scope = 'queue' and name = ${queue} or scope = 'definition' and name in (select name from named)
      )
      select
        exists (select 1 from paused_queues where name = ${queue}) as "isPaused",
        (select coalesce(json_agg(json_build_object(
           'id', id, 'name', name, 'priority', priority, 'concurrencyKey', concurrency_key, 'rateKey', rate_key,
           'due', (select count(*) from (
             select 1 from held_tasks where group_id = locked.id and started_at is null and due_at <= statement_timestamp()
               and (expires_at is null or expires_at > statement_timestamp())
             limit ${slots}::int + 1) as waiting),
           'nextDueMs', (select extract(epoch from due_at)::float8 * 1000 from held_tasks
             where group_id = locked.id and started_at is null and due_at > statement_timestamp()
             order by due_at limit 1)
         ) order by place), '[]') from locked) as groups,
        json_build_object(
          'nowMs', (select now_ms from clock),
          'limits', (select coalesce(json_agg(json_build_object(
             'scope', scope, 'name', name, 'concurrency', concurrency, 'rateLimit', rate_limit, 'ratePerMs', rate_per_ms)), '[]')
             from limited),
          'running', (select coalesce(json_agg(counted), '[]') from (
             select held_tasks.name, concurrency_key as key, count(*) as count from limited join held_tasks on held_tasks.name = limited.name
             where limited.scope = 'definition' and started_at is not null
             group by held_tasks.name, concurrency_key) as counted),
          'runningInQueue', case when exists (select 1 from limited where scope = 'queue')
             then (select count(*) from held_tasks where queue = ${queue} and started_at is not null) else 0 end,
          'starts', (select coalesce(json_agg(counted), '[]') from (
             select scope, name, key, sum(count)::int as count, min(at_ms) as "oldestMs"
             from (
               select 'definition' as scope, name, rate_key as key from locked union select 'queue', ${queue}, ''
             ) as keys join limited using (scope, name) join rate_usage using (scope, name, key)
             where rate_limit is not null and at_ms > (select now_ms from clock) - rate_per_ms
             group by scope, name, key) as counted)
        ) as usage`,
    { name: 'read_usage' },
  )
  return row as Row
}

function countOf({ groups }: Grants): number {
  return groups.reduce((sum, { count }) => sum + count, 0)
}

// A group with a task that was granted a start and did not wait any more has its next turn after this time. Its
// other tasks may start then. It is not 0, so that a claim is not repeated without a pause.
const REFUSED_TURN_MS = 100

/** Gives the groups with granted starts a turn soon: some of their tasks did not wait any more. */
function withTurnsSoon(grants: Grants, nowMs: number): Grants {
  const turn = nowMs + REFUSED_TURN_MS
  return { ...grants, groups: grants.groups.map((group) => (group.count > 0 ? { ...group, turn } : group)) }
}

/**
 * Starts the granted tasks. Removes those that do not wait any more. Skips expired ones, which use no start of a rate
 * limit and delay no other task of their group until they are ended.
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

async function writeTurns(transaction: Transaction, { groups }: Grants): Promise<void> {
  const changed = groups.filter(({ turn }) => turn !== null)
  if (changed.length === 0) return
  const records = changed.map(({ id, turn }) => ({
    id,
    at_ms: typeof turn === 'number' ? turn : null,
    is_last: turn === 'last',
  }))
  await transaction.query(
    sql`
      update task_groups set turn_at = case when given.is_last then clock_timestamp()
        else coalesce(to_timestamp(given.at_ms / 1000), 'infinity') end
      from ${recordset(records)} as given(id bigint, at_ms float8, is_last boolean)
      where task_groups.id = given.id`,
    { name: 'write_turns' },
  )
}

// A span is divided into so many parts, to which the times of starts are rounded up.
const PARTS_OF_SPAN = 1_000

async function writeStarts(transaction: Transaction, { starts }: Grants, nowMs: number): Promise<void> {
  if (starts.length === 0) return
  const records = starts.map(({ scope, name, key, count, perMs }) => {
    const partMs = Math.max(1, Math.floor(perMs / PARTS_OF_SPAN))
    return { scope, name, key, count, at_ms: Math.ceil(nowMs / partMs) * partMs, old_ms: nowMs - perMs }
  })
  await transaction.query(
    sql`
      with given as materialized (
        select * from ${recordset(records)} as given(scope text, name text, key text, count int, at_ms bigint, old_ms float8)
      ), removed as (
        delete from rate_usage using given
        where rate_usage.scope = given.scope and rate_usage.name = given.name and rate_usage.key = given.key
          and rate_usage.at_ms <= given.old_ms
      )
      insert into rate_usage (scope, name, key, at_ms, count) select scope, name, key, at_ms, count from given
      on conflict (scope, name, key, at_ms) do update set count = rate_usage.count + excluded.count`,
    { name: 'write_starts' },
  )
}
