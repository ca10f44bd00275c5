// Measures the disk space of a finished task in the table and in each index, after a flood and after the
// compaction of its partition.
import type pg from 'pg'
import { openDatabase } from '../../src/store/database.ts'
import { replacePartitions } from '../../src/store/partitions/replace.ts'
import { listPartitions } from '../../src/store/partitions/tables.ts'
import type { Store } from '../stores.ts'
import { tableOf } from '../table.ts'
import { flood, startWaggle, withClient } from './flood.ts'
import type { Context, Section } from './plan.ts'
import { createLedger } from './seed.ts'

/** Bytes per task by the name of the table or index. */
type Sizes = Map<string, number>

export async function measureBytes(context: Context): Promise<Section> {
  const store = await context.stores.open('bytes')
  try {
    await (await createLedger(store, 1)).close()
    await runFlood(context, store)
    const flooded = await readSizes(store)
    await compact(store)
    const compacted = await readSizes(store)
    const rows = [...flooded].map(([name, bytes]) => [
      name,
      bytes.toFixed(1),
      (compacted.get(name) ?? Number.NaN).toFixed(1),
    ])
    return {
      title: 'Bytes per finished task',
      lines: [
        `${context.amounts.bytes.tasks} tasks over 64 connections, then a vacuum`,
        '',
        ...tableOf([['', 'after the flood', 'after compaction'], ...rows]),
      ],
      bounds: [],
    }
  } finally {
    await store.close()
  }
}

function runFlood({ amounts, signal }: Context, store: Store): Promise<unknown> {
  return withClient(store, async (client) => {
    const running = await startWaggle(store, {}, signal)
    try {
      return await flood(running.port, client, { tasks: amounts.bytes.tasks }, signal)
    } finally {
      await running.stop()
    }
  })
}

/** Compacts all partitions with tasks, as a worker does when their range has ended an hour ago. */
async function compact(store: Store): Promise<void> {
  const database = await openDatabase(store.databaseUrl)
  try {
    for (const partition of await listPartitions(database)) {
      if (partition.tasks <= 0) continue
      const result = await replacePartitions(database, { partitions: [partition] })
      if (result !== 'replaced')
        throw new Error(`The partition ${partition.suffix} was not replaced: ${result}`)
    }
  } finally {
    await database.close()
  }
}

async function readSizes(store: Store): Promise<Sizes> {
  return withClient(store, async (client) => {
    await client.query('vacuum analyze tasks')
    const { rows } = await client.query<{ name: string; bytes: number }>(PARTITION_SIZES)
    const tasks = await countTasks(client)
    const sizes = new Map(rows.map(({ name, bytes }) => [name, bytes / tasks]))
    const total = rows.reduce((sum, { bytes }) => sum + bytes / tasks, 0)
    return sizes.set('total', total)
  })
}

async function countTasks(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select count(*)::int as count from tasks')
  return rows[0].count
}

// Selects the sizes of all partitions with tasks: the sum of their tables (`heap`), and the sums of their
// indexes, under the names of the indexes of `tasks`.
const PARTITION_SIZES = `
  with partitions as (
    select inhrelid as id from pg_inherits, pg_class
    where inhparent = 'tasks'::regclass and pg_class.oid = inhrelid and reltuples > 0
  ), relations as (
    select id, 'heap' as name from partitions
    union all
    select indexrelid, whole.relname
    from partitions, pg_index, pg_inherits, pg_class as whole
    where indrelid = partitions.id and inhrelid = indexrelid and whole.oid = inhparent
  )
  select name, sum(pg_relation_size(id))::float8 as bytes from relations group by name order by bytes desc`
