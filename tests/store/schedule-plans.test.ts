// The statements of the scheduler read only due schedules, with plans that were made while the tables were
// empty.
import { expect, inject, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createDueScheduleStore } from '../../src/store/due-schedules.ts'
import { createUniqueStore } from '../../src/store/unique/unique-store.ts'
import { recordPlans, rowsReadBy, scansOf } from '../support/executed-plans.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { createTestDatabase } from '../support/test-database.ts'

const SCHEDULES = 5_000
const DUE = 300
const LIMIT = 100
const RUNS = 10

// PGlite is skipped: it does not keep plans.
test.skipIf(inject('postgresUrl') === null)('schedules that are not due are not read', async () => {
  const { database, recorded } = await openRecorded()
  const store = createDueScheduleStore(database)
  const findDue = () => store.findDue(['reverse', 'divide'], { limit: LIMIT })
  await findDue()
  await store.makeTasks([])
  await fill(database)

  recorded.plans.length = 0
  const { due } = await findDue()
  expect(due).toHaveLength(LIMIT)
  // Chosen among those that are due, and then read.
  expect(readRows()).toBeLessThanOrEqual(DUE + LIMIT + 5)

  recorded.plans.length = 0
  const nextMs = Date.now() + 3_600_000
  const moves = due.map(({ name, version }) => {
    const [task] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
    const tasks = [{ ...task, id: newId(), tickMs: Date.now(), runAt: new Date() }]
    return { name, version, nextMs, waitingMs: null, skipped: 0, tasks }
  })
  const { moved, made } = await store.makeTasks(moves)
  expect([moved.size, made.size]).toEqual([LIMIT, LIMIT])
  // To lock and to change them.
  expect(readRows()).toBeLessThanOrEqual(2 * LIMIT)

  await database.query(sql`update schedules set next_at = now() + interval '1 hour'`)
  await database.query(sql`vacuum schedules`)
  recorded.plans.length = 0
  expect(await findDue()).toMatchObject({ due: [], nextInMs: expect.any(Number) })
  expect(readRows()).toBeLessThanOrEqual(1)

  function readRows() {
    expect(recorded.plans).toHaveLength(1)
    const scans = recorded.plans.flatMap(({ root }) => scansOf(root))
    return rowsReadBy(scans.filter((scan) => scan['Relation Name'] === 'schedules'))
  }
})

test.skipIf(inject('postgresUrl') === null)('ticks that meet a task read only their schedules', async () => {
  const { database, recorded } = await openRecorded()
  await database.migrate()
  const store = createDueScheduleStore(database)
  const unique = { key: '', until: 'finished', onConflict: 'existing', isLimited: false } as const
  const tick = async () => {
    const { due } = await store.findDue(['reverse'], { limit: LIMIT })
    recorded.plans.length = 0
    const moves = due.map(({ name, version, nextMs }) => {
      const [task] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
      const tasks = [{ ...task, id: newId(), tickMs: nextMs, runAt: new Date(), unique }]
      return { name, version, nextMs, waitingMs: null, skipped: 0, tasks }
    })
    return (await store.makeTasks(moves)).made.size
  }
  const [first] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
  await createUniqueStore(database).insertMany([{ ...first, id: newId(), unique }])
  await fill(database, 1)
  expect(await tick()).toBe(0)
  await database.query(sql`delete from schedules`)
  await fill(database)
  await database.query(sql`
    insert into schedule_runs (schedule, tick_at, task_id)
    select 's' || n, now() - run * interval '1 day', gen_random_uuid()
    from generate_series(1, ${SCHEDULES}::int) as n, generate_series(1, ${RUNS}::int) as run`)
  expect(await tick()).toBe(0)
  // To lock and to change them, and to change them again.
  expect(rowsOf('schedules')).toBeLessThanOrEqual(3 * LIMIT)
  // To remove old runs, and to find those that were recorded now.
  expect(rowsOf('schedule_runs')).toBeLessThanOrEqual(3 * (RUNS + 1) * LIMIT)
  // And one before.
  const met = await database.query(sql`select 1 from schedule_runs where is_existing`)
  expect(met).toHaveLength(LIMIT + 1)

  function rowsOf(relation: string) {
    const scans = recorded.plans.flatMap(({ root }) => scansOf(root))
    return rowsReadBy(scans.filter((scan) => scan['Relation Name'] === relation))
  }
})

async function fill(database: Database, count = SCHEDULES) {
  await database.query(sql`
    insert into schedules (name, definition, input, every_seconds, overlap, catch_up, jitter_seconds, source, next_at)
    select 's' || n, 'reverse', '{"text":"abc"}', 60, 'skip', 'one', 0, 'api',
      now() + case when n <= ${DUE}::int then '-1 s' else '1 hour' end::interval
    from generate_series(1, ${count}::int) as n`)
}

/** Opens a new database with one connection, and records the plans of its statements. */
async function openRecorded() {
  const testDatabase = await createTestDatabase()
  const recorded = recordPlans(testDatabase.url)
  const database = await openDatabase(recorded.url, { poolSize: 1 })
  onTestFinished(async () => {
    await database.close()
    recorded.stop()
    await testDatabase.drop()
  })
  return { database, recorded }
}
