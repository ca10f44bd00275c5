// Writes heartbeats and drain requests into the rows of workers, and finds the tasks that missing workers
// have abandoned.

import { type BatchStatement, IS_GIVEN, inLockOrder, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { asc, eq, getTableColumns, sql } from './drizzle.ts'
import { readEnqueued } from './enqueued-tasks.ts'
import { type WorkerRow, workers } from './schema.ts'
import { recordset, texts } from './statements.ts'
import { REQUEST_ID, TAGS } from './task-columns.ts'

export interface WorkerInfo {
  id: string
  host: string
  pid: number
  version: string
  queues: string[]
  concurrency: number
  /** Number of isolated processes, each of which runs one attempt in addition to `concurrency`. */
  isolatedProcesses: number
}

export interface Beat {
  /** Time limit of the statement that writes the heartbeat. */
  timeoutMs: number
  worker: WorkerInfo
  processed: number
  failed: number
  /** Number of slots whose handlers run on although their attempts have ended. */
  leaked: number
  running: { id: string; attempt: number; progress?: { fraction: number; message?: string } }[]
}

/** A task that this worker runs and must abort: cancellation was requested, or its attempt is outdated. */
export interface BeatNews {
  id: string
  attempt: number
  isCancelRequested: boolean
  /**
   * Whether the attempt that runs in this worker is still the current one of its task. If it is not, its
   * result will be refused.
   */
  isCurrent: boolean
}

export interface AbandonedTask {
  id: string
  attempt: number
  name: string
  failures: number
  maxRetries: number
  isCancelRequested: boolean
  workerId: string | null
}

/** A task that ran in a worker whose process has ended. */
export interface CrashedTask extends AbandonedTask {
  /** Number of earlier attempts of the task during which a worker process has crashed. */
  crashes: number
}

/** A task that `findAbandoned` has found. */
export interface FoundTask extends AbandonedTask {
  /**
   * False if its worker is missing and has started it less than `missingAfterMs` ago: a worker counts as
   * missing from its last heartbeat on, and can start tasks after it.
   */
  isAbandoned: boolean
  /** When its attempt started, in ms since 1970. */
  startedAtMs: number
}

/** What hooks get to know of a task. */
export interface Described {
  queue: string
  tags: string[]
  requestId: string | null
  traceparent: string | null
}

/** Information for the worker that a heartbeat reads from Postgres. */
export interface BeatAnswer {
  /** Whether an operator has asked this worker to claim no more tasks. */
  isDraining: boolean
  news: BeatNews[]
}

/** The row of a worker, and the age of its last heartbeat when the row was read. */
export type ListedWorker = WorkerRow & { sinceHeartbeatMs: number }
const LISTED = {
  ...getTableColumns(workers),
  /** Age of the last heartbeat by the clock of Postgres, in milliseconds. */
  sinceHeartbeatMs: sql<number>`extract(epoch from now() - ${workers.lastBeatAt})::float8 * 1000`,
}

export type WorkerStore = ReturnType<typeof createWorkerStore>

export function createWorkerStore(database: Database) {
  return {
    /**
     * In one statement, writes the heartbeat of a worker and the progress of its tasks, and reads whether an
     * operator has requested a drain and which of its running tasks the worker must abort.
     */
    async beat({ timeoutMs, worker, processed, failed, leaked, running }: Beat): Promise<BeatAnswer> {
      const records = inLockOrder(running).map(({ id, attempt, progress }) => ({ id, attempt, ...progress }))
      const statement = sql`
        with beat as (
          insert into workers (id, host, pid, version, queues, concurrency, isolated_processes, running,
                               processed, failed, leaked)
          values (${worker.id}, ${worker.host}, ${worker.pid}, ${worker.version},
                  array(select value from ${texts(worker.queues)}), ${worker.concurrency},
                  ${worker.isolatedProcesses}, ${running.length}, ${processed}, ${failed}, ${leaked})
          on conflict (id) do update set running = excluded.running, processed = excluded.processed,
             failed = excluded.failed, leaked = excluded.leaked, last_beat_at = now()
          returning drain_requested_at is not null as is_draining
        ), given as materialized (
          select * from json_to_recordset(${JSON.stringify(records)}::json)
            as given(id uuid, attempt int, fraction double precision, message text)
        ), moved as (
          update tasks set progress_fraction = given.fraction, progress_message = given.message, version = version + 1
          from given
          where ${IS_GIVEN} and tasks.attempt = given.attempt and tasks.status = 'STARTED'
            and given.fraction is not null
        )
        select is_draining as "isDraining", news.*
        from beat left join (
          select given.id, given.attempt, cancel_requested_at is not null as "isCancelRequested",
                 tasks.attempt = given.attempt and tasks.status = 'STARTED' as "isCurrent"
          from given join tasks on ${IS_GIVEN}
          where cancel_requested_at is not null or tasks.attempt <> given.attempt or tasks.status <> 'STARTED'
        ) as news on true`
      type Row = { isDraining: boolean } & (BeatNews | { id: null })
      const rows = await database.query<Row>(statement, { name: 'beat', timeoutMs })
      return {
        isDraining: rows.some(({ isDraining }) => isDraining),
        news: rows.flatMap((row) => (row.id === null ? [] : [row])),
      }
    },

    /** Deletes the row of a worker. Called by the worker itself at the end of an orderly stop. */
    async remove(id: string): Promise<void> {
      await database.use((drizzle) => drizzle.delete(workers).where(eq(workers.id, id)))
    },

    /**
     * Deletes the rows of workers whose last heartbeat is older than `missingAfterMs`. The reconciler calls
     * it after it has ended the attempts that these workers abandoned, because it searches for abandoned tasks
     * less often if no row of a missing worker exists.
     */
    async removeMissing(missingAfterMs: number): Promise<void> {
      await database.maintenance.query(
        sql`delete from workers where last_beat_at < now() - ${missingAfterMs}::float8 * interval '1 ms'`,
      )
    },

    /**
     * Asks a worker to claim no more tasks until its process ends, or withdraws that request. The worker
     * reads it with its next heartbeat. Repeating a request changes nothing.
     * @returns the row of the worker; null if the worker is unknown
     */
    async setDraining(id: string, isDraining: boolean): Promise<ListedWorker | null> {
      const drainRequestedAt = isDraining ? sql`coalesce(${workers.drainRequestedAt}, now())` : null
      const [row] = await database.use((drizzle) =>
        drizzle.update(workers).set({ drainRequestedAt }).where(eq(workers.id, id)).returning(LISTED),
      )
      return row ?? null
    },

    list(): Promise<ListedWorker[]> {
      return database.maintenance.use((drizzle) =>
        drizzle.select(LISTED).from(workers).orderBy(asc(workers.startedAt)),
      )
    },

    /** Returns the ids of the workers whose last heartbeat is older than `missingAfterMs`. */
    async missing(missingAfterMs: number): Promise<string[]> {
      const rows = await database.maintenance.query<{ id: string }>(
        sql`select id from workers where last_beat_at < ${ago(missingAfterMs)}`,
      )
      return rows.map(({ id }) => id)
    },

    /**
     * Finds STARTED tasks that no worker runs: their worker is missing (no heartbeat for `missingAfterMs`), or
     * it is the calling worker and does not run them, e.g. because the response to its claim was lost. Reads
     * the enqueued tasks in parts, and ends after the part in which it has found `limit` tasks.
     * @param self called before each part
     */
    async findAbandoned(options: {
      missingAfterMs: number
      self: () => { id: string; runningIds: string[] }
      limit: number
    }): Promise<FoundTask[]> {
      const { missingAfterMs, self, limit } = options
      const isOld = sql`started_at < ${ago(missingAfterMs)}`
      const isMissing = sql`(worker_id = any(array(select id from workers where last_beat_at >= ${ago(missingAfterMs)}))) is not true`
      const columns = sql`${ABANDONED}, ${isOld} as "isAbandoned", extract(epoch from started_at)::float8 * 1000 as "startedAtMs"`
      const isWanted = () => {
        const { id, runningIds } = self()
        const isUnknown = sql`worker_id = ${id}::uuid and ${isOld} and id not in (select value::uuid from ${texts(runningIds)})`
        return sql`status = 'STARTED' and (${isMissing} or ${isUnknown})`
      }
      const found = new Map<string, FoundTask>()
      for await (const tasks of readEnqueued<FoundTask>(database.maintenance, columns, isWanted)) {
        for (const task of tasks) found.set(task.id, task)
        if (found.size >= limit) break
      }
      return [...found.values()]
    },

    /** Returns the ids of all tasks that a worker runs. Reads the enqueued tasks in parts. */
    async runningOf(workerId: string): Promise<string[]> {
      const isWanted = () => sql`status = 'STARTED' and worker_id = ${workerId}::uuid`
      const ids = new Set<string>()
      for await (const tasks of readEnqueued(database.maintenance, sql`id`, isWanted))
        for (const { id } of tasks) ids.add(id)
      return [...ids]
    },

    /**
     * Returns those of the tasks that the worker still runs. Called when the process of the worker has ended.
     * @param isCrash marks them, so that their next attempts run in isolated processes: one of them may be
     *    the cause
     */
    lockTasksOf(
      workerId: string,
      { ids, isCrash }: { ids: string[]; isCrash: boolean },
    ): Promise<CrashedTask[]> {
      return database.maintenance.query(sql`
        with locked as materialized (
          select id from tasks where id = any(${uuids(ids)}::uuid[]) order by id for update
        )
        update tasks set is_isolated = is_isolated or ${isCrash}
        from locked
        where tasks.id = any(array[locked.id]) and status = 'STARTED' and worker_id = ${workerId}::uuid
        returning tasks.id, attempt, name, failures, max_retries as "maxRetries", worker_id as "workerId",
                  cancel_requested_at is not null as "isCancelRequested", crashes`)
    },

    /** Returns what hooks get to know of tasks; undefined for tasks that do not exist any more. */
    async describe(ids: string[]): Promise<(Described | undefined)[]> {
      const rows = await database.maintenance.run<Described & { id: string }>(DESCRIBE, { id: uuids(ids) })
      const byId = new Map(rows.map(({ id, ...described }) => [id, described]))
      return ids.map((id) => byId.get(id))
    },

    /** Counts that a worker process crashed during these attempts. */
    async countCrash(attempts: { id: string; attempt: number }[]): Promise<void> {
      const records = inLockOrder(attempts).map(({ id, attempt }) => ({ id, attempt }))
      await database.maintenance.query(sql`
        update tasks set crashes = least(crashes + 1, 1000)
        from ${recordset(records)} as given(id uuid, attempt int)
        where tasks.id = given.id and tasks.attempt = given.attempt`)
    },
  }
}

const ABANDONED = sql`id, attempt, name, failures, max_retries as "maxRetries", worker_id as "workerId",
  cancel_requested_at is not null as "isCancelRequested"`

const DESCRIBE: BatchStatement = {
  name: 'describe_tasks',
  build: (rows) => sql`
    select tasks.id, tasks.queue, ${TAGS} as tags, ${REQUEST_ID} as "requestId", tasks.traceparent
    from ${rows} join tasks on ${IS_GIVEN}`,
}

/** SQL of the time that was `ms` milliseconds ago, by the clock of Postgres. */
const ago = (ms: number) => sql`now() - ${ms}::float8 * interval '1 ms'`
