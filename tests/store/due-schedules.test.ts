// A worker makes the tasks of the schedules that it has read, unless they have changed since.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { completeSchedule } from '../../src/definitions/schedule.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import {
  createDueScheduleStore,
  type DueSchedule,
  type MadeTasks,
  type Move,
} from '../../src/store/due-schedules.ts'
import { createScheduleStore } from '../../src/store/schedule-store.ts'
import { createUniqueStore } from '../../src/store/unique/unique-store.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let testDatabase: TestDatabase
let database: Database
let due: ReturnType<typeof createDueScheduleStore>
let store: ReturnType<typeof createScheduleStore>

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await openDatabase(testDatabase.url)
  await database.migrate()
  due = createDueScheduleStore(database)
  store = createScheduleStore(database)
})
afterAll(async () => {
  await database.close()
  await testDatabase.drop()
})

const hourly = (name: string, text = name) =>
  completeSchedule('reverse', { name, everySeconds: 3_600, input: { text } })

async function readDue(name: string): Promise<DueSchedule> {
  await store.put(hourly(name), Date.now() - 1_000)
  const found = (await due.findDue(['reverse'], { limit: 100 })).due.find((each) => each.name === name)
  expect(found).toMatchObject({ name, isBlocked: false, waitingMs: null, input: { text: name } })
  return found as DueSchedule
}

function moveOf({ name, version, nextMs }: DueSchedule): Move {
  const [task] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
  const tasks = [{ ...task, id: newId(), tickMs: nextMs, runAt: new Date() }]
  return { name, version, nextMs: Date.now() + 3_600_000, waitingMs: null, skipped: 1, tasks }
}

const sizes = ({ moved, made }: MadeTasks) => [moved.size, made.size]

test('of several workers that have read the same tick, one makes its task', async () => {
  const read = await readDue('raced')
  const results = await Promise.all([1, 2, 3].map(() => due.makeTasks([moveOf(read)])))
  expect(results.map(sizes).sort()).toEqual([
    [0, 0],
    [0, 0],
    [1, 1],
  ])
  // Also when its runs are not recorded any more.
  await database.query(sql`delete from schedule_runs`)
  expect(sizes(await due.makeTasks([moveOf(read)]))).toEqual([0, 0])
  expect(await store.find('raced')).toMatchObject({ skipped: 1 })
})

test('a schedule that was paused, replaced or deleted since it was read makes no task', async () => {
  const [paused, replaced, deleted] = [
    await readDue('paused'),
    await readDue('replaced'),
    await readDue('deleted'),
  ]
  await store.pause('paused')
  await store.put(hourly('replaced', 'other'), Date.now())
  await store.remove('deleted')
  expect(sizes(await due.makeTasks([paused, replaced, deleted].map(moveOf)))).toEqual([0, 0])
})

test('a locked schedule is left out, and does not delay the others', async (context) => {
  if (!testDatabase.isServer) return context.skip('PGlite has one connection')
  const [locked, other] = [await readDue('locked'), await readDue('other')]
  await database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      await transaction.execute(sql`select 1 from schedules where name = 'locked' for update`)
      const { moved } = await due.makeTasks([locked, other].map(moveOf))
      expect([...moved]).toEqual(['other'])
    }),
  )
  expect(sizes(await due.makeTasks([moveOf(locked)]))).toEqual([1, 1])
})

test('a tick whose unique task cannot be recorded changes nothing, and is made later', async () => {
  const unique = { key: 'a', until: 'finished', onConflict: 'replace', isLimited: false } as const
  const [first] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
  const existing = { ...first, id: newId(), unique }
  await createUniqueStore(database).insertMany([existing])
  const move = moveOf(await readDue('unique'))
  move.tasks = move.tasks.map((task) => ({ ...task, input: { text: 'tick' }, unique }))
  await database.query(sql`alter table schedule_runs add constraint refused check (not is_existing)`)
  await expect(due.makeTasks([move])).rejects.toThrow()
  const state = async () => ({
    ...(await store.find('unique')),
    runs: await store.runsOf('unique', 10),
    task: await database.query(sql`select input from tasks where id = ${existing.id}::uuid`),
  })
  expect(await state()).toMatchObject({
    version: move.version,
    skipped: 0,
    lastTaskIds: [],
    runs: [],
    task: [{ input: first.input }],
  })
  await database.query(sql`alter table schedule_runs drop constraint refused`)
  expect(sizes(await due.makeTasks([move]))).toEqual([1, 0])
  expect(await state()).toMatchObject({
    version: move.version + 1,
    skipped: 2,
    lastTaskIds: [existing.id],
    runs: [{ taskId: existing.id, isExisting: true }],
    task: [{ input: { text: 'tick' } }],
  })
})

test('many due schedules are divided between workers with different seeds', async () => {
  for (let index = 0; index < 60; index++) await store.put(hourly(`many-${index}`), Date.now() - 1_000)
  const namesOf = async (seed: number) =>
    (await due.findDue(['reverse'], { limit: 10, seed })).due.map(({ name }) => name)
  expect((await namesOf(1)).toSorted()).toEqual((await namesOf(1)).toSorted())
  expect(new Set([...(await namesOf(1)), ...(await namesOf(2)), ...(await namesOf(3))]).size).toBeGreaterThan(
    15,
  )
})

test('tasks that were made on request count for overlaps until they end, beside the task of the last tick', async () => {
  const read = await readDue('manual')
  const move = moveOf(read)
  await due.makeTasks([move])
  const [first, second, third] = [move.tasks[0]?.id, newId(), newId()]
  const [task] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
  await store.run('manual', { ...task, id: second })
  expect((await store.find('manual'))?.lastTaskIds).toEqual([first, second])
  await database.query(
    sql`update tasks set status = 'SUCCESS', finished_at = now() where id = ${first}::uuid`,
  )
  await store.run('manual', { ...task, id: third })
  expect((await store.find('manual'))?.lastTaskIds).toEqual([second, third])
  await database.query(sql`update schedules set next_at = now() where name = 'manual'`)
  const isBlocked = async () =>
    (await due.findDue(['reverse'], { limit: 100 })).due.find(({ name }) => name === 'manual')?.isBlocked
  expect(await isBlocked()).toBe(true)
  for (const id of [second, third])
    await database.query(sql`update tasks set status = 'SUCCESS', finished_at = now() where id = ${id}::uuid`)
  expect(await isBlocked()).toBe(false)
})
