// The schedules of the code: they follow the newest code that runs.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { completeSchedule, type Schedule } from '../../src/definitions/schedule.ts'
import { createCodeSchedules } from '../../src/store/code-schedules.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createScheduleStore } from '../../src/store/schedule-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let testDatabase: TestDatabase
let database: Database
let code: ReturnType<typeof createCodeSchedules>
let store: ReturnType<typeof createScheduleStore>

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = await openDatabase(testDatabase.url)
  await database.migrate()
  code = createCodeSchedules(database)
  store = createScheduleStore(database)
})
afterAll(async () => {
  await database.close()
  await testDatabase.drop()
})
beforeEach(async () => {
  for (const table of ['schedules', 'schedule_versions', 'schedule_runs'])
    await database.query(sql.raw(`delete from ${table}`))
})

const schedule = (name: string, given: Partial<Schedule> = {}) =>
  completeSchedule('report', { name, input: { to: 'a' }, everySeconds: 3_600, ...given })
const names = async () => (await store.list({ limit: 200 })).rows.map(({ name }) => name)

/** Workers with these schedules have last reported more than a minute ago. */
const endAll = () => database.query(sql`update schedule_versions set last_seen_at = now() - interval '61 s'`)

test('schedules are added, changed and removed with the code', async () => {
  await code.follow([schedule('a'), schedule('b'), schedule('c')])
  const before = await store.find('b')
  await code.follow([schedule('b'), schedule('c', { overlap: 'wait' }), schedule('d', { everySeconds: 60 })])
  expect(await names()).toEqual(['b', 'c', 'd'])
  expect(await store.find('b')).toEqual(before)
  expect(await store.find('c')).toMatchObject({ overlap: 'wait', source: 'code', nextAt: before?.nextAt })
  await code.follow([])
  expect(await names()).toEqual([])
})

test('a schedule keeps its next tick unless its times change, and its pause', async () => {
  await code.follow([schedule('a'), schedule('b')])
  const missed = new Date(Date.now() - 7_200_000)
  await database.query(sql`update schedules set next_at = ${missed.toISOString()}::timestamptz`)
  await store.pause('a')
  await code.follow([schedule('a', { input: { to: 'b' } }), schedule('b', { everySeconds: 1_800 })])
  expect(await store.find('a')).toMatchObject({
    nextAt: missed,
    pausedAt: expect.any(Date),
    input: { to: 'b' },
  })
  expect((await store.find('b'))?.nextAt.getTime()).toBeGreaterThan(Date.now() - 10_000)
})

test('during a rollout the newer code wins, also when a worker of the old code starts again', async () => {
  const [old, newer] = [[schedule('a'), schedule('old')], [schedule('a', { overlap: 'allow' })]]
  await code.follow(old)
  await code.follow(newer)
  const before = await store.find('a')
  for (let round = 0; round < 3; round++) {
    await code.follow(old)
    await code.follow(newer)
  }
  expect(await names()).toEqual(['a'])
  expect(await store.find('a')).toEqual(before)
})

test('after a rollback the schedules of the old code apply when the newer code has not run for a minute', async () => {
  const [old, newer] = [[schedule('a')], [schedule('b')]]
  await code.follow(old)
  await code.follow(newer)
  await code.follow(old)
  expect(await names()).toEqual(['b'])
  await endAll()
  await code.follow(old)
  expect(await names()).toEqual(['a'])
  // The next rollout of the newer code applies at once.
  await code.follow(newer)
  expect(await names()).toEqual(['b'])
})

test('code that runs alone applies at once, also if it is older', async () => {
  await code.follow([schedule('a')])
  await code.follow([schedule('b')])
  await code.follow([schedule('a')], { isNewest: true })
  expect(await names()).toEqual(['a'])
})

test('many workers with the same code, started at once, apply it once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => code.follow([schedule('a'), schedule('b')])))
  expect(await names()).toEqual(['a', 'b'])
  expect(await store.find('a')).toMatchObject({ version: 0 })
})

test('code that was overtaken by newer code while it was applied is not applied', async () => {
  const [old, newer] = [[schedule('a')], [schedule('b')]]
  const overtaken = createCodeSchedules({
    ...database,
    async use(work) {
      await code.follow(newer)
      return database.use(work)
    },
  })
  await overtaken.follow(old)
  expect(await names()).toEqual(['b'])
})

test('schedules of the API are left alone, unless the code has one with this name', async () => {
  await store.put(schedule('mine'), Date.now())
  await store.put(schedule('shared'), Date.now())
  await store.pause('shared')
  await code.follow([schedule('shared')])
  expect(await store.find('mine')).toMatchObject({ source: 'api' })
  expect(await store.find('shared')).toMatchObject({ source: 'code', pausedAt: expect.any(Date) })
  expect(await store.put(schedule('shared'), Date.now())).toBeNull()
  expect(await store.remove('shared')).toBe(false)
  await code.follow([])
  expect(await names()).toEqual(['mine'])
})
