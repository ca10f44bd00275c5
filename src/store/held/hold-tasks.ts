// Puts waiting tasks under the limits of their definition or queue: they become held tasks.
import { type Hold, PRIORITIES } from '../../definitions/limits.ts'
import {
  type BatchStatement,
  booleans,
  doubles,
  IS_GIVEN,
  inLockOrder,
  integers,
  texts,
  uuids,
} from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import { recordset } from '../statements.ts'

/** A task that becomes held. */
export interface TaskToHold {
  name: string
  queue: string
  isIsolated?: boolean
  hold: Hold
  /** When it is due; undefined if it is due now. */
  runAt?: Date
}

/** A waiting task that was marked as enqueued and becomes held instead. */
export interface MarkedTask extends TaskToHold {
  id: string
  /** Number of its last attempt. */
  attempt: number
  /**
   * When it was marked, in ms since 1970. It is not held if it was marked again since then, because its input
   * and so its keys may have changed. Undefined skips this check.
   */
  enqueuedAtMs?: number
  /** True if the `key` function of its definition is known, so that it has no key for a reason. */
  mayLackKey?: boolean
}

/**
 * Creates the groups that do not exist yet, and gives all of them a turn. A claim waits for the end of this
 * transaction before it can decide that no task of these groups waits.
 * @returns the id of the group of each task
 */
export async function openGroups(transaction: Transaction, tasks: readonly TaskToHold[]): Promise<number[]> {
  const records = new Map<string, GroupRecord>()
  for (const task of tasks) {
    const record = groupOf(task)
    const known = records.get(keyOf(record))
    const isEarlier = !known || record.due_at === undefined || (known.due_at && known.due_at > record.due_at)
    if (isEarlier) records.set(keyOf(record), record)
  }
  const rows = await transaction.query<GroupRecord & { id: number }>(
    sql`
      insert into task_groups (queue, is_isolated, priority, name, concurrency_key, rate_key, turn_at)
      select queue, is_isolated, priority, name, concurrency_key, rate_key, coalesce(due_at, now())
      from ${recordset([...records.values()])} as given(queue text, is_isolated boolean, priority smallint, name text,
        concurrency_key text, rate_key text, due_at timestamptz)
      order by queue, is_isolated, priority, name, concurrency_key, rate_key
      on conflict (queue, is_isolated, priority, name, concurrency_key, rate_key)
        do update set turn_at = least(task_groups.turn_at, excluded.turn_at)
      returning id::float8 as id, queue, is_isolated, priority, name, concurrency_key, rate_key`,
    { name: 'open_groups' },
  )
  const ids = new Map(rows.map((row) => [keyOf(row), row.id]))
  return tasks.map((task) => ids.get(keyOf(groupOf(task))) as number)
}

interface GroupRecord {
  queue: string
  is_isolated: boolean
  priority: number
  name: string
  concurrency_key: string
  rate_key: string
  due_at?: Date
}

function groupOf({ queue, isIsolated = false, name, hold, runAt }: TaskToHold): GroupRecord {
  return {
    queue,
    is_isolated: isIsolated,
    priority: PRIORITIES.indexOf(hold.priority),
    name,
    concurrency_key: hold.concurrencyKey,
    rate_key: hold.rateKey,
    due_at: runAt,
  }
}

function keyOf(group: GroupRecord): string {
  const { queue, is_isolated, priority, name, concurrency_key, rate_key } = group
  return JSON.stringify([queue, is_isolated, priority, name, concurrency_key, rate_key])
}

/**
 * Makes waiting tasks held tasks, which workers claim from Postgres: each gets a row in `held_tasks`, and its
 * `enqueued_at` becomes `infinity`. Tasks that have started or ended meanwhile are skipped.
 *
 * A task without a key is skipped if its definition has a `key` function that this process does not know, for example
 * because it runs an earlier version of the code: without its key, the task could start beside another one of the same
 * key. It stays marked. It is then found as a lost delivery, until a worker finds it that knows the function.
 */
export async function holdTasks(database: Database, tasks: readonly MarkedTask[]): Promise<void> {
  if (tasks.length === 0) return
  const sorted = inLockOrder(tasks)
  await database.transaction(async (transaction) => {
    const groupIds = await openGroups(transaction, sorted)
    await transaction.run(HOLD, {
      id: uuids(sorted.map(({ id }) => id)),
      attempt: integers(sorted.map(({ attempt }) => attempt)),
      marked_ms: doubles(sorted.map(({ enqueuedAtMs }) => enqueuedAtMs)),
      group_id: doubles(groupIds),
      concurrency_key: texts(sorted.map(({ hold }) => hold.concurrencyKey)),
      is_complete: booleans(sorted.map(isComplete)),
    })
  })
}

function isComplete({ hold, mayLackKey }: MarkedTask): boolean {
  return mayLackKey === true || hold.concurrencyKey !== '' || hold.rateKey !== ''
}

const HOLD: BatchStatement = {
  name: 'hold_tasks',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}), held as (
      update tasks set enqueued_at = 'infinity' from given
      where ${IS_GIVEN} and tasks.attempt = given.attempt and tasks.status in ('PENDING', 'RETRY')
        and (given.marked_ms is null or tasks.enqueued_at = to_timestamp(given.marked_ms / 1000)::timestamptz(3))
        and (given.is_complete or tasks.name <> all(array(select name from limits where scope = 'definition' and has_keys)))
      returning tasks.id, given.group_id, tasks.queue, tasks.name, given.concurrency_key, tasks.run_at,
        case when tasks.attempt = 0 then tasks.expires_at end as expires_at
    )
    insert into held_tasks (task_id, group_id, queue, name, concurrency_key, due_at, expires_at)
    select id, group_id::bigint, queue, name, concurrency_key, run_at, expires_at from held
    on conflict (task_id) do update set group_id = excluded.group_id, concurrency_key = excluded.concurrency_key,
      due_at = excluded.due_at, expires_at = excluded.expires_at, started_at = null, worker_id = null`,
}
