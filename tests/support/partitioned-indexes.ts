// Indexes of partitions: Postgres names them after the partition, so a test looks for the index of the whole table.
import { sql } from '../../src/store/drizzle.ts'
import type { Queries } from '../../src/store/lanes.ts'

/** Returns the index of the partitioned table for the name of an index; the same name if it belongs to none. */
export type TableIndex = (name: string) => string

/** Reads which indexes belong to each other. Indexes of partitions that are created later are unknown. */
export async function readTableIndexes(database: Queries): Promise<TableIndex> {
  const rows = await database.query<{ part: string; whole: string }>(sql`
    select part.relname as part, whole.relname as whole
    from pg_inherits, pg_class as part, pg_class as whole
    where part.oid = inhrelid and whole.oid = inhparent and whole.relkind = 'I'`)
  const wholes = new Map(rows.map(({ part, whole }) => [part, whole]))
  return (name) => wholes.get(name) ?? name
}

/** Replaces the names of indexes in the text of a plan. */
export function withTableIndexes(text: string, tableIndex: TableIndex): string {
  return text.replace(/\w+/g, tableIndex)
}
