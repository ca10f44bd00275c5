// Writes heartbeats and drain requests into the rows of workers, and finds the tasks that missing workers
// have abandoned.

import { IS_GIVEN, inLockOrder } from './columns.ts'
import type { Database } from './database.ts'
import { asc, eq, getTableColumns, sql } from './drizzle.ts'
import { type WorkerRow, workers } from './schema.ts'
import { recordset, texts } from './statements.ts'

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

/** A task that ran in a missing worker. */
export interface TaskOfWorker {
  id: string
  name: string
  workerId: string
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
     * it after it has ended the attempts that these workers abandoned, because most of its searches for
     * abandoned tasks find nothing unless the row of a missing worker exists.
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

    /**
     * Finds up to `limit` tasks that have been STARTED for longer than `missingAfterMs` and that no worker
     * runs: their worker is missing, or it is the calling worker (`self`) and does not run them, e.g. because
     * the response to its claim was lost. If `isThorough` is false, the result is empty unless the table
     * `workers` contains a missing worker, which makes most calls nearly free; and it reads only the index of
     * enqueued tasks, which is small during a backlog. Nearly all running tasks are in it.
     */
    async findAbandoned(options: {
      missingAfterMs: number
      self: { id: string; runningIds: string[] }
      isThorough: boolean
      limit: number
    }): Promise<AbandonedTask[]> {
      const { missingAfterMs, self, isThorough, limit } = options
      const horizon = sql`now() - ${missingAfterMs}::float8 * interval '1 ms'`
      const hasMissingWorker = sql`exists (select 1 from workers where last_beat_at < ${horizon})`
      return database.maintenance.query(sql`
        select id, attempt, name, failures, max_retries as "maxRetries", worker_id as "workerId",
               cancel_requested_at is not null as "isCancelRequested"
        from tasks
        where finished_at is null and status = 'STARTED' and started_at < ${horizon}
          ${isThorough ? sql`` : sql`and enqueued_at is not null and ${hasMissingWorker}`}
          and (not exists (select 1 from workers where workers.id = worker_id and last_beat_at >= ${horizon})
            or worker_id = ${self.id}::uuid and id not in (select value::uuid from ${texts(self.runningIds)}))
        limit ${limit}`)
    },

    /**
     * Returns up to `limit` tasks that a worker runs. Called when the process of the worker has ended.
     * @param isCrash marks them, so that their next attempts run in isolated processes: one of them may be
     *    the cause
     * @param isThorough false reads only the index of enqueued tasks, which is small during a backlog. Nearly
     *    all running tasks are in it
     */
    lockTasksOf(
      workerId: string,
      { isCrash, isThorough, limit }: { isCrash: boolean; isThorough: boolean; limit: number },
    ): Promise<CrashedTask[]> {
      return database.maintenance.query(sql`
        with found as materialized (
          select id from tasks
          where finished_at is null and status = 'STARTED' and worker_id = ${workerId}::uuid
            ${isThorough ? sql`` : sql`and enqueued_at is not null`}
          limit ${limit}
        ), locked as materialized (
          select id from tasks where id = any(array(select id from found)) order by id for update
        )
        update tasks set is_isolated = is_isolated or ${isCrash}
        from locked
        where tasks.id = any(array[locked.id]) and status = 'STARTED' and worker_id = ${workerId}::uuid
        returning tasks.id, attempt, name, failures, max_retries as "maxRetries", worker_id as "workerId",
                  cancel_requested_at is not null as "isCancelRequested", crashes`)
    },

    /** Counts that a worker process crashed during these attempts. */
    async countCrash(attempts: { id: string; attempt: number }[]): Promise<void> {
      const records = inLockOrder(attempts).map(({ id, attempt }) => ({ id, attempt }))
      await database.maintenance.query(sql`
        update tasks set crashes = least(crashes + 1, 1000)
        from ${recordset(records)} as given(id uuid, attempt int)
        where tasks.id = given.id and tasks.attempt = given.attempt`)
    },

    /**
     * Returns all tasks (up to 1,000) that these workers run, the last started ones first. Unlike
     * `findAbandoned` it contains tasks that a worker started right before it died.
     */
    runningOf(workerIds: string[]): Promise<TaskOfWorker[]> {
      return database.maintenance.query(sql`
        select id, name, worker_id as "workerId" from tasks
        where finished_at is null and enqueued_at is not null and status = 'STARTED'
          and worker_id in (select value::uuid from ${texts(workerIds)})
        order by started_at desc, id
        limit 1000`)
    },
  }
}
