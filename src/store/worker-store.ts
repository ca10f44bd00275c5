// Rows of workers: heartbeats, draining, and the tasks that missing workers have abandoned.

import type { Database } from './database.ts'
import { asc, eq, getTableColumns, sql } from './drizzle.ts'
import { type WorkerRow, workers } from './schema.ts'
import { texts } from './statements.ts'

export interface WorkerInfo {
  id: string
  host: string
  pid: number
  version: string
  queues: string[]
  concurrency: number
}

export interface Beat {
  /** Time limit of the statement. */
  timeoutMs: number
  worker: WorkerInfo
  processed: number
  failed: number
  running: { id: string; attempt: number; progress?: { fraction: number; message?: string } }[]
}

/** A change of a running task that was made outside of its worker. */
export interface BeatNews {
  id: string
  attempt: number
  isCancelRequested: boolean
  /** False if the task belongs to another attempt by now. The result of this attempt will be refused. */
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

/** Result of a heartbeat. */
export interface BeatAnswer {
  /** Whether an operator has asked this worker to claim no more tasks. */
  isDraining: boolean
  news: BeatNews[]
}

/** A worker, and the age of its last heartbeat when the row was read. */
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
     * One statement: writes heartbeat and progress, reads cancel requests, lost tasks and a drain request.
     */
    async beat({ timeoutMs, worker, processed, failed, running }: Beat): Promise<BeatAnswer> {
      const records = running.map(({ id, attempt, progress }) => ({ id, attempt, ...progress }))
      const statement = sql`
        with beat as (
          insert into workers (id, host, pid, version, queues, concurrency, running, processed, failed)
          values (${worker.id}, ${worker.host}, ${worker.pid}, ${worker.version},
                  array(select value from ${texts(worker.queues)}), ${worker.concurrency}, ${running.length},
                  ${processed}, ${failed})
          on conflict (id) do update set running = excluded.running, processed = excluded.processed,
             failed = excluded.failed, last_beat_at = now()
          returning drain_requested_at is not null as is_draining
        ), given as materialized (
          select * from json_to_recordset(${JSON.stringify(records)}::json)
            as given(id uuid, attempt int, fraction double precision, message text)
        ), moved as (
          update tasks set progress_fraction = given.fraction, progress_message = given.message, version = version + 1
          from given
          where tasks.id = given.id and tasks.attempt = given.attempt and tasks.status = 'STARTED'
            and given.fraction is not null
        )
        select is_draining as "isDraining", news.*
        from beat left join (
          select given.id, given.attempt, cancel_requested_at is not null as "isCancelRequested",
                 tasks.attempt = given.attempt and tasks.status = 'STARTED' as "isCurrent"
          from given join tasks on tasks.id = given.id
          where cancel_requested_at is not null or tasks.attempt <> given.attempt or tasks.status <> 'STARTED'
        ) as news on true`
      type Row = { isDraining: boolean } & (BeatNews | { id: null })
      const rows = await database.query<Row>(statement, { timeoutMs })
      return {
        isDraining: rows.some(({ isDraining }) => isDraining),
        news: rows.flatMap((row) => (row.id === null ? [] : [row])),
      }
    },

    /** Deletes the row of a worker that has stopped in order. */
    async remove(id: string): Promise<void> {
      await database.use((drizzle) => drizzle.delete(workers).where(eq(workers.id, id)))
    },

    /**
     * Deletes rows of workers that have been missing for so long that their tasks were recovered long ago.
     */
    async removeMissing(missingAfterMs: number): Promise<void> {
      await database.query(
        sql`delete from workers where last_beat_at < now() - ${missingAfterMs}::float8 * interval '1 ms'`,
      )
    },

    /**
     * Asks a worker to claim no more tasks, or to claim tasks again. The worker reads the request with its
     * next heartbeat. The request is valid until the process ends. Repeating it changes nothing.
     * @returns null for an unknown worker
     */
    async setDraining(id: string, isDraining: boolean): Promise<ListedWorker | null> {
      const drainRequestedAt = isDraining ? sql`coalesce(${workers.drainRequestedAt}, now())` : null
      const [row] = await database.use((drizzle) =>
        drizzle.update(workers).set({ drainRequestedAt }).where(eq(workers.id, id)).returning(LISTED),
      )
      return row ?? null
    },

    list(): Promise<ListedWorker[]> {
      return database.use((drizzle) => drizzle.select(LISTED).from(workers).orderBy(asc(workers.startedAt)))
    },

    /**
     * Finds abandoned tasks: STARTED, but their worker has been missing for `missingAfterMs`, or the worker
     * is this one (`self`) and does not know them. The second case occurs if a claim was committed and its
     * response lost. With `isThorough` false, the query reads tasks only if there is a missing worker;
     * otherwise it costs nothing.
     */
    async findAbandoned(options: {
      missingAfterMs: number
      self: { id: string; runningIds: string[] }
      isThorough: boolean
      limit: number
    }): Promise<AbandonedTask[]> {
      const { missingAfterMs, self, isThorough, limit } = options
      const horizon = sql`now() - ${missingAfterMs}::float8 * interval '1 ms'`
      return database.query(sql`
        select id, attempt, name, failures, max_retries as "maxRetries", worker_id as "workerId",
               cancel_requested_at is not null as "isCancelRequested"
        from tasks
        where finished_at is null and status = 'STARTED' and started_at < ${horizon}
          and (${isThorough}::boolean or exists (select 1 from workers where last_beat_at < ${horizon}))
          and (not exists (select 1 from workers where workers.id = worker_id and last_beat_at >= ${horizon})
            or worker_id = ${self.id}::uuid and id not in (select value::uuid from ${texts(self.runningIds)}))
        limit ${limit}`)
    },
  }
}
