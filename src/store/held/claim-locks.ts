// The locks of a claim of held tasks: advisory locks of the limits first, then the rows of the groups.
import type { SQL } from 'drizzle-orm'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import { texts } from '../statements.ts'
import type { StoredLimits } from './grants.ts'
import type { DuePart } from './read-held.ts'

export function lockNameOf({ scope, name }: Pick<StoredLimits, 'scope' | 'name'>): string {
  return `${scope}:${name}`
}

/**
 * Waits until no other transaction claims tasks under the same limits. All transactions lock in the same order, the
 * queue first.
 * @returns the names of the locks
 */
export async function lockLimits(
  transaction: Transaction,
  queue: string,
  names: string[],
): Promise<Set<string>> {
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
export async function lockGroups(
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
