// Log lines of tasks: workers insert them, the API lists them.
import { type BatchStatement, IS_GIVEN, integers, texts, timestamps, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { getTableColumns, sql } from './drizzle.ts'
import { type TaskLogRow, taskLogs } from './schema.ts'
import { selected } from './task-columns.ts'

export interface NewLogLine {
  /** When the line was logged, by the clock of the worker. */
  at: Date
  message: string
  /** Structured fields of the line: a JSON object as text; null if there are none. */
  fields: string | null
}

/** New log lines of one attempt, in the order in which they were logged. */
export interface AttemptLines {
  id: string
  attempt: number
  workerId: string
  lines: NewLogLine[]
}

export type LogStore = ReturnType<typeof createLogStore>

export function createLogStore(database: Database) {
  return {
    /**
     * Inserts log lines of running attempts. Drops lines of an attempt that has ended, so that they cannot
     * follow lines of a later attempt. Repeating a call whose response was lost stores its lines twice.
     * @returns one `undefined` per attempt, because a group commit expects a result for each item
     */
    async insertMany(attempts: AttemptLines[]): Promise<undefined[]> {
      const lines = attempts.flatMap(({ lines, ...attempt }) =>
        lines.map((line) => ({ ...attempt, ...line })),
      )
      const columns = {
        ordinal: integers(lines.map((_, index) => index)),
        id: uuids(lines.map(({ id }) => id)),
        attempt: integers(lines.map(({ attempt }) => attempt)),
        worker_id: uuids(lines.map(({ workerId }) => workerId)),
        at: timestamps(lines.map(({ at }) => at)),
        message: texts(lines.map(({ message }) => message)),
        fields: texts(lines.map(({ fields }) => fields)),
      }
      await database.run(INSERT_LINES, columns, { timeoutMs: WRITE_TIMEOUT_MS })
      return new Array(attempts.length)
    },

    /** Returns the lines of a task with an id greater than `after`, in the order of insertion. */
    list(taskId: string, { after, limit }: { after: number; limit: number }): Promise<TaskLogRow[]> {
      const statement = sql`
        select ${LINE_COLUMNS} from task_logs where task_id = ${taskId}::uuid and task_logs.id > ${after}::bigint
        order by task_logs.id limit ${limit}::int`
      return database.reads.query(statement, { name: 'list_task_logs' })
    },
  }
}

const LINE_COLUMNS = selected({ ...getTableColumns(taskLogs), id: sql`task_logs.id::float8` })

const INSERT_LINES: BatchStatement = {
  name: 'insert_task_logs',
  build: (rows) => sql`
    insert into task_logs (task_id, attempt, at, message, fields)
    select tasks.id, given.attempt, given.at, given.message, given.fields::json
    from ${rows} join tasks on ${IS_GIVEN}
    where tasks.attempt = given.attempt and tasks.worker_id = given.worker_id and tasks.status = 'STARTED'
    order by given.ordinal`,
}

// Timeout of one insert. It is short, because a process inserts its log lines one batch after another.
const WRITE_TIMEOUT_MS = 5_000
