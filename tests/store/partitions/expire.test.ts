// Old tasks are removed with their partitions.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../../src/base/uuidv7.ts'
import { type Database, openDatabase } from '../../../src/store/database.ts'
import { PgDialect, sql } from '../../../src/store/drizzle.ts'
import { compactOldest, expirePartitions } from '../../../src/store/partitions/expire.ts'
import { extendPartitions } from '../../../src/store/partitions/extend.ts'
import { replacePartitions } from '../../../src/store/partitions/replace.ts'
import { listPartitions, type Partition } from '../../../src/store/partitions/tables.ts'
import { createRetentionStore } from '../../../src/store/retention-store.ts'
import { insertOldTask, type OldTask, remainingTasks } from '../../support/old-tasks.ts'
import { makePastPartitions } from '../../support/past-partitions.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const TODAY_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS
const POLICY = { keptMs: 4 * DAY_MS }

let testDatabase: TestDatabase
let database: Database
beforeEach(async () => {
  testDatabase = await createTestDatabase()
  database = await openDatabase(testDatabase.url)
  await database.migrate()
  // Partitions of a day, as those of the database that a server copies.
  await extendPartitions(database, 30 * DAY_MS)
  await makePastPartitions(database, 7)
})
afterEach(async () => {
  await database.close()
  await testDatabase.drop()
})

const insert = (task: OldTask = {}) =>
  insertOldTask(database, { createdDaysAgo: 6, finishedDaysAgo: 6, ...task })

/** Returns the lower bounds of all partitions in days from today; null for the oldest one. */
async function bounds() {
  const partitions = await listPartitions(database)
  return partitions.map(({ fromMs }) => (fromMs === null ? null : (fromMs - TODAY_MS) / DAY_MS))
}

/** Returns the id of any task. */
async function anyTaskId(): Promise<string> {
  const [row] = await database.query<{ id: string }>(sql`select id::text from tasks limit 1`)
  if (row === undefined) throw new Error('There is no task')
  return row.id
}

/** Reads a row as text: the drivers of a server and of PGlite return other types. */
const rowOf = (id: string) => sql`select to_json(tasks)::text as text from tasks where id = ${id}`

async function partitionOf(id: string) {
  const [row] = await database.query<{ name: string }>(
    sql`select tableoid::regclass::text as name from tasks where id = ${id}`,
  )
  return row?.name
}

describe('partitions whose tasks are all too old', () => {
  test('are dropped, and younger ones are untouched', async () => {
    await insert()
    await insert({ status: 'FAILURE', createdDaysAgo: 5.5, finishedDaysAgo: 5.5 })
    const kept = [
      await insert({ createdDaysAgo: 3, finishedDaysAgo: 3 }),
      await insert({ createdDaysAgo: 1, finishedDaysAgo: 0 }),
    ]
    expect((await expirePartitions(database, POLICY)).replaced.length).toBeGreaterThanOrEqual(2)
    expect(await remainingTasks(database)).toEqual(kept.toSorted())
    const [oldest, next] = await bounds()
    expect(oldest).toBeNull()
    // A partition is dropped when its range ended an hour longer ago than tasks are kept.
    expect(next).toBeGreaterThanOrEqual(-5)
    expect(next).toBeLessThanOrEqual(-4)
    expect(await expirePartitions(database, POLICY)).toMatchObject({ replaced: [], remaining: [] })
  })

  test('are dropped also if they are more than one change removes', async () => {
    await makePastPartitions(database, 20)
    const kept = await insert({ createdDaysAgo: 20, status: 'PENDING', finishedDaysAgo: null })
    for (const createdDaysAgo of [24, 15, 9, 6])
      await insert({ createdDaysAgo, finishedDaysAgo: createdDaysAgo })
    const before = await bounds()
    const { replaced } = await expirePartitions(database, POLICY)
    expect(replaced.length).toBeGreaterThanOrEqual(20)
    expect(await remainingTasks(database)).toEqual([kept])
    expect(await partitionOf(kept)).toBe('tasks_past')
    expect(await bounds()).toEqual([null, ...before.slice(1 + replaced.length)])
  })

  test('a submission with an old id is accepted afterwards', async () => {
    await expirePartitions(database, POLICY)
    const id = await insert({ createdDaysAgo: 6.5 })
    expect(await partitionOf(id)).toBe('tasks_past')
  })

  test('nothing is removed if tasks are kept forever', async () => {
    const id = await insert()
    expect(await expirePartitions(database, {})).toMatchObject({ replaced: [], remaining: [] })
    expect(await remainingTasks(database)).toEqual([id])
  })
})

describe('tasks that have to be kept', () => {
  test.each<[string, OldTask]>([
    ['a delayed task', { status: 'PENDING', finishedDaysAgo: null }],
    ['a running task', { status: 'STARTED', finishedDaysAgo: null }],
    ['a task that ended recently', { finishedDaysAgo: 2 }],
    ['a failed task that ended recently', { status: 'FAILURE', finishedDaysAgo: 2 }],
    ['a cancelled task that ended recently', { status: 'CANCELLED', finishedDaysAgo: 2 }],
  ])('%s moves to the oldest partition; the others of its partition are gone', async (_what, task) => {
    for (let n = 0; n < 20; n++) await insert()
    const kept = await insert(task)
    for (let n = 0; n < 20; n++) await insert({ status: 'FAILURE' })
    const before = await database.query(sql`select * from tasks where id = ${kept}`)
    await expirePartitions(database, POLICY)
    expect(await remainingTasks(database)).toEqual([kept])
    expect(await partitionOf(kept)).toBe('tasks_past')
    expect(await database.query(sql`select * from tasks where id = ${kept}`)).toEqual(before)
    expect((await bounds())[1]).toBeGreaterThanOrEqual(-5)
  })

  test('a kept task stays with each further partition, and goes when it is old enough itself', async () => {
    const kept = await insert({ finishedDaysAgo: 2 })
    await expirePartitions(database, { keptMs: 4.5 * DAY_MS })
    await expirePartitions(database, { keptMs: 3.5 * DAY_MS })
    expect(await remainingTasks(database)).toEqual([kept])
    await expirePartitions(database, { keptMs: DAY_MS })
    expect(await remainingTasks(database)).toEqual([])
  })

  test('a partition waits while a callback still has to be created', async () => {
    const callbackUrl = 'https://example.com/'
    const [waiting, other] = [await insert({ callbackUrl }), await insert()]
    const { remaining, replaced } = await expirePartitions(database, POLICY)
    expect(remaining.map(({ suffix }) => `tasks_${suffix}`)).toEqual([await partitionOf(waiting)])
    expect(replaced).not.toContain((await partitionOf(waiting))?.replace('tasks_', ''))
    expect(await remainingTasks(database)).toEqual([waiting, other].toSorted())
    await database.query(sql`update tasks set callback_id = gen_random_uuid() where id = ${waiting}`)
    await expirePartitions(database, POLICY)
    expect(await remainingTasks(database)).toEqual([])
  })
})

describe('a shorter time for successful tasks', () => {
  const policy = { ...POLICY, successMs: DAY_MS }

  test('keeps failures, cancelled tasks and late successes; the partition stays', async () => {
    const times = { createdDaysAgo: 3, finishedDaysAgo: 3 }
    for (let n = 0; n < 20; n++) await insert(times)
    const kept = [
      await insert({ ...times, status: 'FAILURE' }),
      await insert({ ...times, status: 'CANCELLED' }),
      await insert({ ...times, status: 'RETRY', finishedDaysAgo: null }),
      await insert({ ...times, finishedDaysAgo: 0.5 }),
      await insert({ createdDaysAgo: 0.5, finishedDaysAgo: 0.5 }),
    ]
    const home = await partitionOf(kept[0] as string)
    await expirePartitions(database, policy)
    expect(await remainingTasks(database)).toEqual(kept.toSorted())
    expect(await partitionOf(kept[0] as string)).toBe(home)
    // A partition that was replaced is not copied again.
    expect(await expirePartitions(database, policy)).toMatchObject({ replaced: [], remaining: [] })
  })

  test('a task that ended late is deleted when it is too old, also if its partition was replaced before', async () => {
    const times = { createdDaysAgo: 3, finishedDaysAgo: 3 }
    for (let n = 0; n < 20; n++) await insert(times)
    const late = await insert({ ...times, finishedDaysAgo: 0.5 })
    const kept = [
      await insert({
        ...times,
        finishedDaysAgo: 0.5,
        callbackUrl: 'https://example.com/',
        callbackId: newId(),
      }),
      await insert({ ...times, status: 'FAILURE', finishedDaysAgo: 0.5 }),
      await insert({ ...times, status: 'RETRY', finishedDaysAgo: null }),
    ]
    const { thinned } = await expirePartitions(database, policy)
    expect(await remainingTasks(database)).toHaveLength(4)
    const store = createRetentionStore(database)
    const prune = async () => {
      let deleted = 0
      for (const partition of thinned) deleted += await store.pruneThinned(partition, policy, 100)
      return deleted
    }
    expect(await prune()).toBe(0)
    await database.query(
      sql`update tasks set finished_at = now() - interval '25 hours' where id in (${late}, ${kept[0] as string}, ${kept[1] as string})`,
    )
    // The callback of one of them still has to be created.
    await database.query(sql`update tasks set callback_id = null where id = ${kept[0] as string}`)
    expect(await prune()).toBe(1)
    expect(await remainingTasks(database)).toEqual(kept.toSorted())
    // The partition is listed again as long as it exists.
    const suffixes = (list: Partition[]) => list.map(({ suffix }) => suffix)
    expect(suffixes((await expirePartitions(database, policy)).thinned)).toEqual(suffixes(thinned))
    // A partition that is gone is skipped.
    expect(
      await store.pruneThinned({ ...(thinned[0] as Partition), suffix: '1999_01_01' }, policy, 100),
    ).toBe(0)
  })

  test('rows are left for single deletes in a partition of which most tasks have to be kept', async () => {
    const times = { createdDaysAgo: 3, finishedDaysAgo: 3 }
    for (let n = 0; n < 30; n++) await insert({ ...times, status: n < 10 ? 'SUCCESS' : 'FAILURE' })
    const home = (await partitionOf((await remainingTasks(database))[0] as string)) as string
    await database.query(sql.raw(`analyze ${home}`))
    const { remaining, replaced } = await expirePartitions(database, policy)
    expect(remaining.map(({ suffix }) => `tasks_${suffix}`)).toEqual([home])
    expect(replaced).not.toContain(home.replace('tasks_', ''))
  })

  test('is used although all other tasks are kept forever', async () => {
    await insert()
    const kept = await insert({ status: 'FAILURE' })
    await expirePartitions(database, { successMs: DAY_MS })
    expect(await remainingTasks(database)).toEqual([kept])
  })
})

test('old tasks in a partition that ends far in the future are deleted row by row', async () => {
  const partitions = await listPartitions(database)
  const names = (table: string) => partitions.slice(1).map(({ suffix }) => `${table}_${suffix}`)
  const from = newId((partitions[1] as { fromMs: number }).fromMs).slice(0, 13)
  for (const table of ['tasks', 'attempts', 'task_logs']) {
    await database.query(sql.raw(`drop table ${names(table).join()}`))
    await database.query(
      sql.raw(
        `create table ${table}_wide partition of ${table} for values from ('${from}-0000-0000-000000000000') to (maxvalue)`,
      ),
    )
  }
  await insert()
  const { remaining } = await expirePartitions(database, POLICY)
  expect(remaining.map(({ suffix }) => suffix)).toEqual(['wide'])
})

describe('a partition whose time is over', () => {
  const times = { createdDaysAgo: 3, finishedDaysAgo: 3 }

  test('is made compact once, with all of its tasks', async () => {
    const ids = [
      await insert({ ...times, status: 'FAILURE' }),
      await insert({ ...times, status: 'RETRY', finishedDaysAgo: null }),
      await insert({ ...times, finishedDaysAgo: 0.1 }),
    ]
    for (let n = 0; n < 5; n++) ids.push(await insert(times))
    const home = (await partitionOf(ids[0] as string)) as string
    expect(await compactOldest(database, POLICY)).toBeUndefined()
    // Only partitions with an estimate of at least 10,000 tasks are compacted.
    await database.query(sql`update pg_class set reltuples = 10000 where oid = ${home}::regclass`)
    const before = await database.query(sql`select * from tasks order by id`)
    expect(await compactOldest(database, POLICY)).toBe('replaced')
    expect(await database.query(sql`select * from tasks order by id`)).toEqual(before)
    expect(await remainingTasks(database)).toEqual(ids.toSorted())
    expect(await partitionOf(ids[0] as string)).toBe(home)
    expect(await compactOldest(database, POLICY)).toBeUndefined()
    await expirePartitions(database, { keptMs: 3 * HOUR_MS })
    expect(await remainingTasks(database)).toEqual([ids[1], ids[2]].toSorted())
  })

  test('is not made compact if its successful tasks are removed soon', async () => {
    await database.query(sql`update pg_class set reltuples = 10000 where relname like 'tasks_%'`)
    expect(await compactOldest(database, { ...POLICY, successMs: DAY_MS })).toBeUndefined()
  })

  test('stays as it is if too many tasks end while it is copied', async (context) => {
    if (!testDatabase.isServer) return context.skip('needs several connections')
    await database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
      select (lpad(to_hex(${TODAY_MS - 3 * DAY_MS}::bigint + n), 12, '0') || '70008000000000000000')::uuid, 'reverse', 'unused',
             'PENDING', '{}', 0, 1000, now(), now() - interval '2 days'
      from generate_series(1, 3000) as n`)
    const before = await bounds()
    const { remaining } = await expirePartitions(
      interrupted(
        database,
        { text: 'lock table only', home: await partitionOf(await anyTaskId()) },
        async (query) => {
          await query(sql`update tasks set status = 'SUCCESS', finished_at = now()`)
        },
      ),
      { keptMs: DAY_MS },
    )
    expect(remaining.map(({ suffix }) => `tasks_${suffix}`)).toContain(await partitionOf(await anyTaskId()))
    expect(await database.query(sql`select from tasks where status = 'SUCCESS'`)).toHaveLength(3_000)
    expect(await bounds()).toEqual(before.filter((bound) => bound === null || bound >= -3))
    const left = await database.query(sql`select from pg_class where relname like '%\\_next'`)
    expect(left).toEqual([])
  })
})

describe('while a partition is replaced', () => {
  test.each<[string, OldTask, (id: string) => ReturnType<typeof sql>]>([
    [
      'a waiting task that is cancelled keeps its end',
      { status: 'PENDING', finishedDaysAgo: null },
      (id) =>
        sql`update tasks set status = 'CANCELLED', cancel_requested_at = now(), finished_at = now(), version = version + 1 where id = ${id}`,
    ],
    [
      'a running task that succeeds keeps its result',
      { status: 'STARTED', finishedDaysAgo: null },
      (id) =>
        sql`update tasks set status = 'SUCCESS', result = '"late"', finished_at = now(), version = version + 1 where id = ${id}`,
    ],
    [
      'a task that ends after the clock of Postgres was set back keeps its end',
      { status: 'STARTED', finishedDaysAgo: null },
      (id) =>
        sql`update tasks set status = 'SUCCESS', finished_at = now() - interval '10 minutes', version = version + 1 where id = ${id}`,
    ],
    [
      'a failed task that is retried is kept',
      { status: 'FAILURE' },
      (id) =>
        sql`update tasks set status = 'PENDING', error = null, finished_at = null, version = version + 1 where id = ${id}`,
    ],
    [
      'a delayed task that is enqueued keeps the mark',
      { status: 'PENDING', finishedDaysAgo: null },
      (id) => sql`update tasks set enqueued_at = now() where id = ${id}`,
    ],
  ])('%s', async (_what, task, change) => {
    const id = await insert(task)
    let changed: unknown[] = []
    await expirePartitions(
      interrupted(database, { text: 'lock table only', home: await partitionOf(id) }, async (query) => {
        await query(change(id))
        changed = await query(rowOf(id))
      }),
      POLICY,
    )
    expect(changed).toHaveLength(1)
    expect(await database.query(rowOf(id))).toEqual(changed)
    expect(await partitionOf(id)).toBe('tasks_past')
    expect(await remainingTasks(database)).toEqual([id])
  })

  test('log lines of a running task, and late ends of a failed one, are kept', async () => {
    const running = await insert({ status: 'STARTED', finishedDaysAgo: null })
    const failed = await insert({ status: 'FAILURE', finishedDaysAgo: 1 })
    await expirePartitions(
      interrupted(database, { text: 'lock table only', home: await partitionOf(running) }, async (query) => {
        await query(
          sql`insert into task_logs (task_id, attempt, at, message) values (${running}, 1, now(), 'meanwhile')`,
        )
        await query(sql`update attempts set refused = '{"status":"SUCCESS"}' where task_id = ${failed}`)
        await query(sql`update tasks set version = version + 1 where id = ${failed}`)
      }),
      POLICY,
    )
    const lines = await database.query<{ message: string }>(
      sql`select message from task_logs where task_id = ${running} order by id`,
    )
    expect(lines.map(({ message }) => message)).toEqual(['said', 'meanwhile'])
    expect(
      await database.query(
        sql`select refused, version from attempts, tasks where task_id = ${failed} and tasks.id = task_id`,
      ),
    ).toEqual([{ refused: { status: 'SUCCESS' }, version: 1 }])
  })

  test('nothing is deleted row by row, so that no copy brings a deleted task back', async (context) => {
    if (!testDatabase.isServer) return context.skip('needs several connections')
    const ended = await insert({ finishedDaysAgo: 1 })
    const store = createRetentionStore(database)
    const rule = { key: 'all', successMs: HOUR_MS }
    const deleted: unknown[] = []
    await expirePartitions(
      interrupted(database, { text: 'lock table only', home: await partitionOf(ended) }, async () => {
        deleted.push(await store.pruneByRule(rule, 10), await store.pruneLate(rule, 10))
      }),
      POLICY,
    )
    expect(deleted).toEqual([{ deleted: 0, isMore: false }, 0])
    expect(await store.pruneLate(rule, 10)).toBe(1)
    expect(await remainingTasks(database)).toEqual([])
  })

  test('autovacuum is off for the copies, and locked out of the old tables', async (context) => {
    if (!testDatabase.isServer) return context.skip('needs several connections')
    const ended = await insert({ finishedDaysAgo: 1 })
    const seen: unknown[] = []
    await expirePartitions(
      interrupted(database, { text: 'lock table only', home: await partitionOf(ended) }, async (query) => {
        seen.push(
          ...(await query(
            sql`select distinct reloptions::text from pg_class where relname like '%\\_next' and relkind = 'r'`,
          )),
          // Autovacuum skips tables that are locked in this mode.
          ...(await query(
            sql`select distinct mode from pg_locks where relation::regclass::text like 'task%' and mode like 'ShareUp%'`,
          )),
        )
      }),
      POLICY,
    )
    expect(seen).toHaveLength(2)
    expect(JSON.stringify(seen)).toContain('autovacuum_enabled=off')
    const options = await database.query(
      sql`select from pg_class where relispartition and reloptions::text like '%autovacuum_enabled%'`,
    )
    expect(options).toEqual([])
  })

  test('a crash before the commit changes nothing', async () => {
    const ids = [await insert(), await insert({ status: 'PENDING', finishedDaysAgo: null })]
    const before = await bounds()
    const { error } = await expirePartitions(
      interrupted(database, { text: 'rename to', home: await partitionOf(ids[0] as string) }, async () => {
        throw new Error('crash')
      }),
      POLICY,
    )
    expect(String(error)).toContain('crash')
    expect(await remainingTasks(database)).toEqual(ids.toSorted())
    expect(await bounds()).toEqual(before)
    expect(await database.query(sql`select from pg_class where relname like '%\\_next'`)).toEqual([])
  })

  test('it waits for a table that is in use, and gives up', async (context) => {
    if (!testDatabase.isServer) return context.skip('needs several connections')
    const id = await insert()
    const [oldest, next] = await listPartitions(database)
    const partitions = [oldest, next].filter((partition) => partition !== undefined)
    const keptSince = { successMs: Date.now(), otherMs: Date.now() }
    const limits = { lockMs: 20, pauseMs: 1, tries: 3 }
    await database.use((drizzle) =>
      drizzle.transaction(async (transaction) => {
        await transaction.execute(sql`select from tasks`)
        await expect(replacePartitions(database, { partitions, keptSince }, limits)).rejects.toThrow()
      }),
    )
    expect(await remainingTasks(database)).toEqual([id])
    expect(await replacePartitions(database, { partitions, keptSince }, limits)).toBe('replaced')
  })

  test('only one process does it at a time', async (context) => {
    if (!testDatabase.isServer) return context.skip('needs several connections')
    const kept = await insert({ status: 'PENDING', finishedDaysAgo: null })
    await insert()
    const results = await Promise.all(Array.from({ length: 4 }, () => expirePartitions(database, POLICY)))
    const replaced = results.flatMap((result) => result.replaced)
    expect(new Set(replaced).size).toBe(replaced.length)
    await expirePartitions(database, POLICY)
    expect(await remainingTasks(database)).toEqual([kept])
  })
})

/**
 * Returns the database with a hook: while the partition `home` is replaced, `work` is called once, right
 * before the first statement that contains `text`.
 */
function interrupted(
  inner: Database,
  { text, home }: { text: string; home: string | undefined },
  work: (query: <Row>(statement: ReturnType<typeof sql>) => Promise<Row[]>) => Promise<void>,
): Database {
  const begins = `lock table ${home} in share update exclusive`
  let hasBegun = false
  let isDone = false
  return {
    ...inner,
    use: (run) =>
      inner.use((drizzle) =>
        run(
          new Proxy(drizzle, {
            get: (target, key) =>
              key === 'transaction'
                ? (body: (transaction: object) => Promise<unknown>) =>
                    target.transaction((transaction) =>
                      body({
                        async execute(statement: ReturnType<typeof sql>) {
                          const given = dialect.sqlToQuery(statement).sql
                          hasBegun ||= given.includes(begins)
                          if (hasBegun && !isDone && given.includes(text)) {
                            isDone = true
                            const query = testDatabase.isServer
                              ? inner.query
                              : async (given: ReturnType<typeof sql>) =>
                                  ((await transaction.execute(given)) as unknown as { rows: never[] }).rows
                            await work(query as never)
                          }
                          return transaction.execute(statement)
                        },
                      }),
                    )
                : Reflect.get(target, key),
          }),
        ),
      ),
  }
}

const dialect = new PgDialect()
