// Reads tasks by id, and their attempts. Lists are in task-list.ts.

import { createGroupCommit } from '../base/group-commit.ts'
import { TASK_BYTES } from './byte-budget.ts'
import { type BatchStatement, IS_GIVEN, integers, uuids } from './columns.ts'
import { getTableColumns, sql } from './drizzle.ts'
import type { Queries } from './lanes.ts'
import { type AttemptRow, attempts, type TaskRow } from './schema.ts'
import { selected, TASK_COLUMNS } from './task-columns.ts'

/** Id of a task, and the `version` of its row that the caller of `findChanged` has already read. */
export interface KnownTask {
  id: string
  version: number
}

export type TaskReader = ReturnType<typeof createTaskReader>

export function createTaskReader(reads: Queries) {
  const finds = createGroupCommit<string, TaskRow | undefined>({ name: 'reads of tasks', write: findMany })
  return {
    /** Returns a task; undefined for an unknown id. Concurrent calls share one query. */
    find: (id: string): Promise<TaskRow | undefined> => finds.add(id.toLowerCase()),

    /**
     * Returns the size of each task: bytes of its input and result as JSON text. Unknown ids are left out.
     */
    async findBytes(ids: string[]): Promise<Map<string, number>> {
      const rows = await reads.run<{ id: string; bytes: number }>(FIND_BYTES, { id: uuids(ids) })
      return new Map(rows.map(({ id, bytes }) => [id, bytes]))
    },

    /** Returns the failed and lost attempts of a task, oldest first; at most 1,000. */
    attemptsOf(id: string): Promise<AttemptRow[]> {
      const statement = sql`
        select ${ATTEMPT_COLUMNS} from attempts where task_id = ${id}::uuid
        order by attempts.attempt, attempts.id limit 1000`
      return reads.query(statement, { name: 'attempts_of_task' })
    },

    /**
     * Returns the tasks that have changed since the caller read them: their `version` differs from the given
     * one. Unknown ids are left out.
     */
    async findChanged(known: KnownTask[]): Promise<TaskRow[]> {
      const columns = {
        id: uuids(known.map(({ id }) => id)),
        version: integers(known.map(({ version }) => version)),
      }
      const changed = await reads.run<{ id: string }>(FIND_CHANGED, columns)
      if (changed.length === 0) return []
      const rows = await findMany(changed.map(({ id }) => id))
      return rows.filter((row) => row !== undefined)
    },
  }

  async function findMany(ids: string[]): Promise<(TaskRow | undefined)[]> {
    const rows = await reads.run<TaskRow>(FIND, { id: uuids(ids) })
    const byId = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id) => byId.get(id))
  }
}

const ATTEMPT_COLUMNS = selected({ ...getTableColumns(attempts), id: sql`attempts.id::float8` })

/** Reads whole tasks by id. */
export const FIND: BatchStatement = {
  name: 'find_tasks',
  build: (rows) => sql`select ${selected(TASK_COLUMNS)} from ${rows} join tasks on ${IS_GIVEN}`,
}

const FIND_BYTES: BatchStatement = {
  name: 'find_bytes_of_tasks',
  build: (rows) => sql`select tasks.id, ${TASK_BYTES} as bytes from ${rows} join tasks on ${IS_GIVEN}`,
}

// Looks up each known task by the primary key, so that its cost grows linearly with their number.
const FIND_CHANGED: BatchStatement = {
  name: 'find_changed_tasks',
  build: (rows) => sql`
    select tasks.id from ${rows} join tasks on ${IS_GIVEN} where tasks.version <> given.version`,
}
