// Inserts and retries unique tasks, and deletes keys that no task needs any more.
import { isFinal } from '../../definitions/task-status.ts'
import { uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { confirmed } from '../database-errors.ts'
import { sql } from '../drizzle.ts'
import type { HasBacklog, UniqueTask } from '../new-tasks.ts'
import { recordset } from '../statements.ts'
import { UNCONFIRMED_RETRY, UNCONFIRMED_SUBMISSION } from '../task-store.ts'
import { insertUniqueTasks } from './insert-unique.ts'
import { type RetryClaim, retryUnique, STATES, type TaskState, type UniqueRetry } from './retry-unique.ts'

/** Position in the order of the keys. */
export interface KeyPosition {
  name: string
  key: string
}

export type UniqueStore = ReturnType<typeof createUniqueStore>

export function createUniqueStore(database: Database) {
  return {
    /**
     * Inserts unique tasks, see `insertUniqueTasks`.
     * @throws AppError `outcome_unknown` if Postgres did not confirm the transaction
     */
    insertMany: (tasks: UniqueTask[], hasBacklog?: HasBacklog) =>
      confirmed(insertUniqueTasks(database, tasks, hasBacklog), UNCONFIRMED_SUBMISSION),

    /**
     * Retries tasks of definitions with `unique`, see `retryUnique`.
     * @throws AppError `outcome_unknown` if Postgres did not confirm the transaction
     */
    retryMany: (claims: RetryClaim[]): Promise<UniqueRetry> =>
      confirmed(retryUnique(database, claims), UNCONFIRMED_RETRY),

    /** Returns the name, status and attempt of tasks; unknown ids are left out. */
    statesOf: (ids: string[]): Promise<TaskState[]> => database.run(STATES, { id: uuids(ids) }),

    /**
     * Reads the next `limit` keys after a position whose time is over, and deletes those whose task has ended
     * or no longer exists. Keys that are locked are skipped.
     * @returns the position of the last key that was read; null if no key follows
     */
    prune(after: KeyPosition, limit: number): Promise<KeyPosition | null> {
      return database.maintenance.transaction(async (transaction) => {
        // While a key is locked, its task cannot become another one, and no retry can start it again.
        const keys = await transaction.query<KeyPosition & { id: string }>(sql`
          select name, key, task_id as id from unique_tasks
          where (name, key) > (${after.name}, ${after.key}) and kept_until < now()
          order by name, key limit ${limit} for update skip locked`)
        const states = await transaction.run<TaskState>(STATES, { id: uuids(keys.map(({ id }) => id)) })
        const unfinished = new Set(states.filter(({ status }) => !isFinal(status)).map(({ id }) => id))
        const old = keys.filter(({ id }) => !unfinished.has(id)).map(({ name, key }) => ({ name, key }))
        await transaction.query(sql`
          delete from unique_tasks using ${recordset(old)} as given(name text, key text)
          where unique_tasks.name = given.name and unique_tasks.key = given.key`)
        const last = keys.at(-1)
        return last && keys.length === limit ? { name: last.name, key: last.key } : null
      })
    },
  }
}
