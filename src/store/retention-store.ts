// Deletes old finished tasks. Their attempts and logs are deleted with them.
import type { SQL } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import { sql } from './drizzle.ts'
import type { Queries } from './lanes.ts'

/** Result of `pruneTasks`, which is one step of a scan of all tasks from the oldest to the newest. */
export interface PruneStep {
  deleted: number
  /** Id of the last scanned task. The next step starts after it. */
  lastId: string
  /** True if the scan is complete: all tasks after `lastId` were submitted too recently to be deleted. */
  isAtEnd: boolean
}

/** An id that is lower than the id of every task. A scan starts after it. */
export const LOWEST_ID = firstIdOf(0)

export type RetentionStore = ReturnType<typeof createRetentionStore>

export function createRetentionStore(maintenance: Queries) {
  return {
    /**
     * Scans the next `limit` tasks after `afterId`, in the order of ids. Deletes those that ended longer than
     * `olderThanMs` ago, unless their callback still has to be created or another transaction has locked
     * them.
     */
    async pruneTasks(afterId: string, olderThanMs: number, limit: number): Promise<PruneStep> {
      const [step] = await maintenance.query<{ scanned: number; deleted: number; lastId: string | null }>(
        pruneStatement(afterId, olderThanMs, limit),
      )
      const { scanned = 0, deleted = 0, lastId } = step ?? {}
      return { deleted, lastId: lastId ?? afterId, isAtEnd: scanned < limit }
    },
  }
}

/**
 * Returns the statement of `pruneTasks`. It compares ids with `= any(array[id])`, because the planner then
 * finds each row by the primary key.
 */
export function pruneStatement(afterId: string, olderThanMs: number, limit: number): SQL {
  // Excludes tasks submitted less than `olderThanMs` ago by the time in their id: they cannot have ended
  // earlier than that.
  const youngestId = firstIdOf(Date.now() - olderThanMs)
  return sql`
    with scanned as materialized (
      select id from tasks where id > ${afterId}::uuid and id < ${youngestId}::uuid order by id limit ${limit}
    ), old as materialized (
      select tasks.id from scanned, tasks
      where tasks.id = any(array[scanned.id])
        and tasks.finished_at < now() - ${olderThanMs}::float8 * interval '1 ms'
        and (tasks.callback_url is null or tasks.callback_id is not null)
      for update of tasks skip locked
    ), deleted as (
      delete from tasks using old where tasks.id = any(array[old.id]) returning tasks.id
    )
    select (select count(*)::int from scanned) as scanned, (select count(*)::int from deleted) as deleted,
           (select id from scanned order by id desc limit 1) as "lastId"`
}
