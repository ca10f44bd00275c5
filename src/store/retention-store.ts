// Lets go of tasks that have ended long ago, with their attempts and logs.
import type { SQL } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'

/** Where a walk over the tasks, from the oldest on, has come to. */
export interface PruneStep {
  deleted: number
  /** The last one that was looked at; from here it goes on. */
  lastId: string
  /** Whether what comes next is too young. */
  isAtEnd: boolean
}

/** Less than every id: where a walk begins. */
export const BEFORE_ALL = firstIdOf(0)

export type RetentionStore = ReturnType<typeof createRetentionStore>

export function createRetentionStore(database: Database) {
  return {
    /**
     * SharedQueries at the next tasks by their ids, and deletes those that ended so long ago and of which whoever wanted to know has
     * been told. Leaves alone what somebody has in hand at this moment.
     */
    async pruneTasks(afterId: string, olderThanMs: number, limit: number): Promise<PruneStep> {
      const [step] = await database.query<{ looked: number; deleted: number; lastId: string | null }>(
        pruneStatement(afterId, olderThanMs, limit),
      )
      const { looked = 0, deleted = 0, lastId } = step ?? {}
      return { deleted, lastId: lastId ?? afterId, isAtEnd: looked < limit }
    },
  }
}

/** Row by row by the primary key, whatever the planner believes: see `IS_GIVEN`. */
export function pruneStatement(afterId: string, olderThanMs: number, limit: number): SQL {
  // What ended so long ago was submitted before that: nothing younger has to be looked at.
  const youngestId = firstIdOf(Date.now() - olderThanMs)
  return sql`
    with looked as materialized (
      select id from tasks where id > ${afterId}::uuid and id < ${youngestId}::uuid order by id limit ${limit}
    ), old as materialized (
      select tasks.id from looked, tasks
      where tasks.id = any(array[looked.id])
        and tasks.finished_at < now() - ${olderThanMs}::float8 * interval '1 ms'
        and (tasks.callback_url is null or tasks.callback_id is not null)
      for update of tasks skip locked
    ), deleted as (
      delete from tasks using old where tasks.id = any(array[old.id]) returning tasks.id
    )
    select (select count(*)::int from looked) as looked, (select count(*)::int from deleted) as deleted,
           (select id from looked order by id desc limit 1) as "lastId"`
}
