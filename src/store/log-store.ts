// What task code has said while it ran: written by workers, followed by readers.
import { type BatchStatement, IS_GIVEN, integers, texts, timestamps, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { and, asc, eq, gt, sql } from './drizzle.ts'
import { type TaskLogRow, taskLogs } from './schema.ts'

export interface NewLogLine {
  /** By the clock of the worker. */
  at: Date
  message: string
  /** JSON of an object. */
  fields: string | null
}

/** Lines of one attempt, in the order in which they were said. */
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
     * Of attempts that are under way only: what a worker thought dead still has to say is dropped, so that no line
     * stands after one of a later attempt. What is written twice, because an answer was lost, stands twice.
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

    /** What was said after the line `after`, in order. */
    list(taskId: string, { after, limit }: { after: number; limit: number }): Promise<TaskLogRow[]> {
      return database.use((drizzle) =>
        drizzle
          .select()
          .from(taskLogs)
          .where(and(eq(taskLogs.taskId, taskId), gt(taskLogs.id, after)))
          .orderBy(asc(taskLogs.id))
          .limit(limit),
      )
    },
  }
}

const INSERT_LINES: BatchStatement = {
  name: 'insert_task_logs',
  build: (rows) => sql`
    insert into task_logs (task_id, attempt, at, message, fields)
    select tasks.id, given.attempt, given.at, given.message, given.fields::json
    from ${rows} join tasks on ${IS_GIVEN}
    where tasks.attempt = given.attempt and tasks.worker_id = given.worker_id and tasks.status = 'STARTED'
    order by given.ordinal`,
}

// The next one waits for this one.
const WRITE_TIMEOUT_MS = 5_000
