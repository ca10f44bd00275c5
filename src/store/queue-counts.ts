// Counts the waiting and running tasks of each queue, in parts, and keeps the result in the table
// `queue_counts`, from which all processes read it. One process counts at a time. A count of several parts is
// followed by a pause of 20 times its duration, so that counting takes at most 5 % of the time.
import { newId } from '../base/uuidv7.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import type { QueueCount } from './schema.ts'

// Number of tasks that one statement counts. It takes about 15 ms if the tasks are in memory.
const PART = 10_000
// Minimum time between the end of a count and the start of the next one. A process reads the result at most
// once per second, so each of its reads finds that a count is due.
const MIN_PAUSE_MS = 500
// Minimum time between two counts, as a multiple of the duration of the first one. It applies to counts of
// several parts: a single part costs little, even if it takes long on a busy machine.
const PAUSE_PER_DURATION = 20
// The counting process updates `progressed_at` this often. If it has not done so for `ABANDONED_MS`, another
// process starts a new count.
const PROGRESS_MS = 2_000
const ABANDONED_MS = 10_000

/**
 * SQL condition on the row of `queue_counts`: a new count may start. It is true without a row (`coalesce`),
 * and if `progressed_at` is in the future, because the clock of Postgres was set back.
 */
export const IS_COUNT_DUE = sql`coalesce(now() - queue_counts.progressed_at > interval '1 ms' *
  case when queue_counts.counting is null
       then greatest(${MIN_PAUSE_MS}::float8, ${PAUSE_PER_DURATION}::float8 * queue_counts.took_ms)
       else ${ABANDONED_MS}::float8 end
  or queue_counts.progressed_at > now() + interval '1 minute', true)`

/**
 * Counts all unfinished tasks by queue, if a count is due and no other process has started it. Each task is
 * counted once, in the state that it has when its part is read.
 * @returns false if nothing was counted
 */
export async function countQueues({ maintenance }: Pick<Database, 'maintenance'>): Promise<boolean> {
  const id = newId()
  if (!(await begin())) return false
  const startedMs = performance.now()
  let parts = 0
  try {
    const counts = await countAll()
    if (counts !== null) await end(counts)
    return counts !== null
  } catch (error) {
    // Otherwise the next count would start only after `ABANDONED_MS`.
    await abandon().catch(() => {})
    throw error
  }

  async function begin(): Promise<boolean> {
    const rows = await maintenance.query(sql`
      insert into queue_counts (id, counting) values (1, ${id}::uuid)
      on conflict (id) do update set counting = excluded.counting, started_at = now(), progressed_at = now()
      where ${IS_COUNT_DUE}
      returning id`)
    return rows.length > 0
  }

  /** @returns null if another process has started a new count meanwhile, because this one was too slow */
  async function countAll(): Promise<QueueCount[] | null> {
    const counts = new Map<string, QueueCount>()
    let progressedMs = startedMs
    for (let after: string | undefined = BEFORE_ALL; after !== undefined; parts++) {
      const rows: PartRow[] = await maintenance.query(partOf(after))
      for (const row of rows) add(counts, row)
      const [first] = rows
      after = first && first.read === PART ? first.lastId : undefined
      if (performance.now() - progressedMs < PROGRESS_MS) continue
      if (!(await progress())) return null
      progressedMs = performance.now()
    }
    return [...counts.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  async function progress(): Promise<boolean> {
    const rows = await maintenance.query(
      sql`update queue_counts set progressed_at = now() where counting = ${id}::uuid returning id`,
    )
    return rows.length > 0
  }

  async function end(counts: QueueCount[]) {
    await maintenance.query(sql`
      update queue_counts set counts = ${JSON.stringify(counts)}::json, counted_at = started_at, counting = null,
             progressed_at = now(), took_ms = ${parts > 1 ? performance.now() - startedMs : 0}::float8
      where counting = ${id}::uuid`)
  }

  async function abandon() {
    await maintenance.query(
      sql`update queue_counts set counting = null, progressed_at = now() where counting = ${id}::uuid`,
    )
  }
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

type PartRow = QueueCount & { read: number; lastId: string }

const partOf = (after: string) => sql`
  with part as materialized (
    select id, queue, status, run_at, enqueued_at from tasks where finished_at is null and id > ${after}::uuid
    order by id limit ${sql.raw(String(PART))}
  )
  select queue as name, count(*) filter (where status <> 'STARTED')::int as waiting,
         count(*) filter (where status = 'RETRY')::int as retrying,
         count(*) filter (where status = 'STARTED')::int as running,
         count(*) filter (where enqueued_at = 'infinity')::int as held,
         extract(epoch from now() - min(run_at) filter (where status <> 'STARTED' and run_at <= now()))::float8
           * 1000 as "oldestWaitingMs",
         (select count(*) from part)::int as read, (select id from part order by id desc limit 1) as "lastId"
  from part group by queue`

function add(
  counts: Map<string, QueueCount>,
  { name, waiting, retrying, running, held, oldestWaitingMs }: PartRow,
) {
  const known = counts.get(name)
  counts.set(name, {
    name,
    waiting: waiting + (known?.waiting ?? 0),
    retrying: retrying + (known?.retrying ?? 0),
    running: running + (known?.running ?? 0),
    held: held + (known?.held ?? 0),
    oldestWaitingMs: longer(oldestWaitingMs, known?.oldestWaitingMs ?? null),
  })
}

function longer(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other)
}
