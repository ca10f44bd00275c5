// Creates the data of a system that has run for a month: a million finished tasks, a hundred thousand waiting
// ones, and the statistics of the last days. Postgres generates the rows in order of time, as a real system
// would have inserted them.
import pg from 'pg'
import { firstIdOf } from '../../src/base/uuidv7.ts'
import type { Landmarks } from './requests.ts'

export interface Amounts {
  finished: number
  waiting: number
}

const BATCH = 100_000

// A UUIDv7 as in `src/base/uuidv7.ts`, from a timestamp and a number.
export const ID = `(lpad(to_hex((extract(epoch from created) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
             || '8' || substr(md5(n::text), 5, 15))::uuid`
// Mostly notifications and mail. One task in a thousand has the rare name `divide`.
const NAME = `case when n % 1000 = 0 then 'divide' when n % 10 < 5 then 'notify' when n % 10 < 8 then 'email'
              when n % 10 = 8 then 'reverse' else 'http_request' end`
const INPUT = `json_build_object('recipient', 'user' || n % 5000 || '@example.com', 'subject', 'Your order ' || n,
               'body', repeat('Thank you for your order. ', 8), 'order', json_build_object('id', n, 'total', n % 900))`
const TAGS = `case when n % 4 = 0 then array['customer-' || n % 2000, 'shop'] else '{}'::text[] end`

export async function seed(
  databaseUrl: string,
  { finished, waiting }: Amounts,
  log: (line: string) => void,
): Promise<Landmarks> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const stepMs = MONTH_MS / finished
    const startMs = Date.now() - 60_000 - MONTH_MS
    for (let from = 1; from <= finished; from += BATCH) {
      log(`${from - 1} of ${finished} finished tasks`)
      const last = Math.min(finished, from + BATCH - 1)
      await client.query(finishedTasks('tasks'), [from, last, startMs, stepMs, FAILED_EVERY])
    }
    log(`${waiting} waiting tasks, attempts, logs and statistics`)
    await seedForPage(client, { waiting, sinceMs: 0 })
    return await findLandmarks(client)
  } finally {
    await client.end()
  }
}

const MONTH_MS = 30 * 86_400_000
/** One task in so many fails. */
export const FAILED_EVERY = 20

/**
 * Adds what the page shows besides finished tasks: waiting tasks, statistics, workers, and the attempts and logs of
 * the failed tasks that were submitted at `sinceMs` (ms since 1970) or later.
 */
export async function seedForPage(
  client: pg.Client,
  { waiting, sinceMs }: { waiting: number; sinceMs: number },
): Promise<void> {
  await client.query(WAITING_TASKS, [waiting])
  for (const statement of [ATTEMPTS, LOGS]) await client.query(statement, [firstIdOf(sinceMs)])
  for (const statement of [WORKERS, ACTIVITY]) await client.query(statement)
  // Bring the tables into the state in which autovacuum would keep them.
  for (const table of ['tasks', 'attempts', 'task_logs', 'activity'])
    await client.query(`vacuum analyze ${table}`)
  await client.query('checkpoint')
}

/**
 * Returns the statement that inserts finished tasks into a table. Its parameters are the number of the first and of
 * the last task, the time of task 0 (ms since 1970), the time between two tasks (ms), and how many tasks there are
 * for each failed one. One task in fifty is cancelled.
 */
export const finishedTasks = (table: string) => `
  insert into ${table} (id, name, queue, status, input, result, error, progress_fraction, attempt, failures, max_retries,
                     timeout_ms, tags, version, run_at, enqueued_at, created_at, started_at, finished_at, worker_id,
                     cancel_requested_at)
  select ${ID}, ${NAME}, case when n % 10 < 8 then 'mail' else 'default' end, status, ${INPUT},
         case status when 'SUCCESS' then json_build_object('sent', true, 'to', 'user' || n % 5000 || '@example.com') end,
         case status when 'FAILURE' then json_build_object('name', 'Error', 'message', 'The server is away', 'retryable', true) end,
         case status when 'SUCCESS' then 1 else 0 end, case status when 'FAILURE' then 4 else 1 end,
         case status when 'FAILURE' then 4 else 0 end, 3, 60000, ${TAGS}, 2, created, created, created,
         created + interval '40 ms', created + interval '40 ms' + (n % 700) * interval '1 ms',
         '00000000-0000-4000-8000-00000000000a',
         case status when 'CANCELLED' then created end
  from (
    select n, to_timestamp(($3::float8 + n * $4::float8) / 1000) as created,
           case when n % $5::int = 7 then 'FAILURE' when n % 50 = 3 then 'CANCELLED' else 'SUCCESS' end as status
    from generate_series($1::int, $2::int) as n
  ) as made`

// Submitted in the last two hours. One task in ten waits for a retry after a failed first attempt.
const WAITING_TASKS = `
  insert into tasks (id, name, queue, status, input, attempt, failures, max_retries, timeout_ms, tags, version, run_at, enqueued_at,
                     created_at)
  select ${ID.replaceAll('n::text', "('w' || n)")}, ${NAME}, case when n % 10 < 8 then 'mail' else 'default' end,
         case when n % 10 = 0 then 'RETRY' else 'PENDING' end, ${INPUT}, case when n % 10 = 0 then 1 else 0 end,
         case when n % 10 = 0 then 1 else 0 end, 3, 60000, ${TAGS}, 0, created, created, created
  from (
    select n, now() - interval '2 hours' * (1 - n::float8 / $1::int) as created from generate_series(1, $1::int) as n
  ) as made`

const ATTEMPTS = `
  insert into attempts (task_id, attempt, error, worker_id, started_at, ended_at)
  select id, number, error, worker_id, started_at, finished_at
  from tasks, generate_series(1, 4) as number where status = 'FAILURE' and finished_at is not null
    and id >= $1::uuid`

const LOGS = `
  insert into task_logs (task_id, attempt, at, message, fields)
  select id, 1 + line / 5, finished_at, 'Connecting to the server, line ' || line, json_build_object('line', line)
  from tasks, generate_series(0, 19) as line where status = 'FAILURE'
    and id >= $1::uuid`

const WORKERS = `
  insert into workers (id, host, pid, version, queues, concurrency, running, last_beat_at)
  select gen_random_uuid(), 'host-' || n, n, '1.0.0', array['default', 'mail'], 20, 10, now() + interval '1 hour'
  from generate_series(1, 8) as n`

const ACTIVITY = `
  insert into activity (width, starts_at, name, measure, bucket, count)
  select width, to_timestamp(floor(extract(epoch from now()) / width) * width - step * width), name, measure, bucket, 7
  from (values (10, 720), (60, 1560), (600, 1152)) as spans(width, steps),
       generate_series(0, steps - 1) as step,
       unnest(array['notify', 'email', 'reverse', 'http_request', 'divide', 'sentiment']) as name,
       (select 'wait' as measure, generate_series(4, 30) as bucket
        union all select 'run', generate_series(12, 42)
        union all select unnest(array['accepted', 'SUCCESS', 'FAILURE', 'CANCELLED', 'RETRY']), 0) as measures
  on conflict do nothing`

/** Returns ids of tasks that the requests of the page name. */
export async function findLandmarks(client: pg.Client): Promise<Landmarks> {
  const failed = await client.query<{ id: string }>(`
    select id from tasks where status = 'FAILURE' order by id desc offset 100 limit 1`)
  const idAfter: Landmarks['idAfter'] = {}
  for (const page of [1, 99, 999, 9_999]) {
    const { rows } = await client.query<{ id: string }>(
      'select id from tasks order by id desc offset $1 limit 1',
      [page * 50 - 1],
    )
    idAfter[page * 50] = rows[0]?.id ?? ''
  }
  return { failedId: failed.rows[0]?.id ?? '', idAfter }
}
