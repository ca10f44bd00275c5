// Reads the tasks that are marked as enqueued, in parts. These are running tasks, and tasks that wait in
// Redis. Tasks that wait only in Postgres, of which there can be many millions, are not read.
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'
import type { Queries } from './lanes.ts'

// Number of tasks that one statement reads. It takes about 10 ms if the tasks are in memory.
const PART = 5_000
// Postgres keeps the index entries of ended tasks until the next vacuum. The first statement that finds such
// an entry reads its row, which is slow, and marks the entry, so that later statements skip it. Entries that
// are older than `YOUNG_MS` were marked by an earlier run of a reconciler. Younger ones are read in slices of
// `SLICE_MS`: 50,000 rows at 25,000 tasks/s, which takes 15 to 50 ms. Shorter slices would cost more in
// total, because each statement reads all entries of the index to find those of its slice.
const YOUNG_MS = 20_000
const SLICE_MS = 2_000

/** Position in the order of the index `tasks_enqueued`: that of the last task that was read. */
interface Cursor {
  queue: string
  isIsolated: boolean
  enqueuedAt: string
}

type PartRow<Row> = Row & { id: string | null; last: Cursor; read: number }

/**
 * Reads all enqueued tasks and yields those that fulfil a condition, one array per statement. A task that is
 * enqueued meanwhile can be missing, and one that becomes isolated meanwhile can be read twice.
 * @param columns SQL of the result columns. They, and the condition, can use the columns of `tasks` that
 *   `PART_COLUMNS` lists
 * @param isWanted called once per statement, right before it, so that it can use current values
 */
export async function* readEnqueued<Row extends { id: string }>(
  queries: Queries,
  columns: SQL,
  isWanted: () => SQL,
): AsyncGenerator<Row[]> {
  for (const range of await readRanges(queries)) {
    let after: Cursor | null = START
    while (after !== null) {
      const rows: PartRow<Row>[] = await queries.query(partOf(range, after, columns, isWanted()))
      // A part without tasks gives no row. A part without wanted tasks gives one row without an id.
      const [first] = rows
      after = first && first.read >= PART ? first.last : null
      yield rows.filter(({ id }) => id !== null)
    }
  }
}

const START: Cursor = { queue: '', isIsolated: false, enqueuedAt: '-infinity' }

/** Returns SQL conditions on `enqueued_at`: more than `YOUNG_MS` ago, and one per slice of the time since. */
async function readRanges(queries: Queries): Promise<SQL[]> {
  const [clock] = await queries.query<{ nowMs: number }>(
    sql`select extract(epoch from now())::float8 * 1000 as "nowMs"`,
  )
  const nowMs = clock?.nowMs ?? 0
  const bounds: (number | null)[] = [null]
  for (let ageMs = YOUNG_MS; ageMs > 0; ageMs -= SLICE_MS) bounds.push(nowMs - ageMs)
  return bounds.map((fromMs, index) => {
    const toMs = bounds[index + 1] ?? null
    return sql`enqueued_at >= ${timeOf(fromMs, '-infinity')} and enqueued_at < ${timeOf(toMs, 'infinity')}`
  })
}

function timeOf(ms: number | null, otherwise: 'infinity' | '-infinity'): SQL {
  return ms === null ? sql`${otherwise}::timestamptz` : sql`to_timestamp(${ms}::float8 / 1000)`
}

const PART_COLUMNS = sql`id, queue, is_isolated, enqueued_at, status, attempt, name, failures, max_retries,
  worker_id, started_at, cancel_requested_at`

/** `with ties` is used because many tasks can have the same time: the next part starts after that time. */
function partOf(range: SQL, after: Cursor, columns: SQL, isWanted: SQL): SQL {
  return sql`
    with part as materialized (
      select ${PART_COLUMNS} from tasks
      where finished_at is null and enqueued_at is not null and ${range}
        and (queue, is_isolated, enqueued_at) > (${after.queue}, ${after.isIsolated}::boolean, ${after.enqueuedAt}::timestamptz)
      order by queue, is_isolated, enqueued_at fetch first ${sql.raw(String(PART))} rows with ties
    )
    select found.*, (select count(*) from part)::int as read,
           json_build_object('queue', queue, 'isIsolated', is_isolated, 'enqueuedAt', enqueued_at::text) as last
    from (
      select queue, is_isolated, enqueued_at from part
      order by queue desc, is_isolated desc, enqueued_at desc limit 1
    ) as last
    left join (select ${columns} from part where ${isWanted}) as found on true`
}
