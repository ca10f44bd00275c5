// Records in the database when attempts start and end, so that a test can check limits without gaps: a trigger
// inserts a row in the transaction of each change.
import type pg from 'pg'

/** A task became STARTED, or is STARTED no more. */
export interface StatusChange {
  name: string
  key: string
  isStart: boolean
  /** `started_at` of the attempt, in ms since 1970. */
  startedAtMs: number
  /**
   * When the statement made the change, in ms since 1970 by the clock of Postgres. The change of an end is committed
   * later, and a claim reads only committed ends: attempts that run one after the other never overlap here.
   */
  atMs: number
}

export async function recordStatusChanges(client: pg.Client): Promise<void> {
  await client.query(`
    create table status_changes (name text, key text, is_start boolean, started_at timestamptz, at timestamptz);
    create function record_status_change() returns trigger language plpgsql as $$ begin
      insert into status_changes
      values (new.name, new.input->>'key', new.status = 'STARTED', new.started_at, clock_timestamp());
      return null;
    end $$;
    create trigger record_status_change after update of status on tasks for each row
      when (old.status is distinct from new.status and 'STARTED' in (old.status, new.status))
      execute function record_status_change()`)
}

export async function readStatusChanges(client: pg.Client): Promise<StatusChange[]> {
  const { rows } = await client.query<StatusChange>(`
    select name, key, is_start as "isStart", extract(epoch from started_at)::float8 * 1000 as "startedAtMs",
      extract(epoch from at)::float8 * 1000 as "atMs"
    from status_changes`)
  return rows
}

/** Something that occupies a slot of a limit for some time. */
export interface Span {
  fromMs: number
  toMs: number
}

/** Returns the largest number of spans that overlap at one time. Spans that only touch do not overlap. */
export function mostAtOnce(spans: readonly Span[]): number {
  const changes = spans.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ])
  return peakOf(changes)
}

/** Returns the largest number of attempts that were STARTED at one time. */
export function mostStarted(changes: readonly StatusChange[]): number {
  return peakOf(changes.map(({ atMs, isStart }) => ({ atMs, by: isStart ? 1 : -1 })))
}

function peakOf(changes: { atMs: number; by: number }[]): number {
  let count = 0
  let peak = 0
  for (const { by } of changes.toSorted((a, b) => a.atMs - b.atMs || a.by - b.by)) {
    count += by
    peak = Math.max(peak, count)
  }
  return peak
}
