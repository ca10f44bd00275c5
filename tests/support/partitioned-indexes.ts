// Finds the index of a partitioned table for an index of a partition. Postgres derives the names of the
// latter from the partition, so a test cannot look for them in a plan.
import { sql } from '../../src/store/drizzle.ts'
import type { Queries } from '../../src/store/lanes.ts'

/**
 * Maps the name of an index of a partition to that of the partitioned table. Returns any other name
 * unchanged.
 */
export type TableIndex = (name: string) => string

/**
 * Reads the names of all indexes of partitions. Those of partitions that are made later are unknown to the
 * result.
 */
export async function readTableIndexes(database: Queries): Promise<TableIndex> {
  const rows = await database.query<{ part: string; whole: string }>(sql`
    select part.relname as part, whole.relname as whole
    from pg_inherits, pg_class as part, pg_class as whole
    where part.oid = inhrelid and whole.oid = inhparent and whole.relkind = 'I'`)
  const wholes = new Map(rows.map(({ part, whole }) => [part, whole]))
  return (name) => wholes.get(name) ?? name
}

/** Replaces the names of indexes of partitions in the text of a plan. */
export function withTableIndexes(text: string, tableIndex: TableIndex): string {
  return text.replace(/\w+/g, tableIndex)
}
