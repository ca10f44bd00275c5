// A callback that cannot be written keeps nobody else's from being written.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import type { CallbackStore } from '../../src/store/callback-store.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startCallbacks } from '../../src/worker/callbacks.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

// More than are taken at once.
const UNWRITABLE = 25
// JSON.stringify runs out of stack; Postgres and JSON.parse do not.
const LEVELS = 6_000

let system: TestSystem
beforeEach(async () => {
  system = await startSystem({ worker: false })
})
afterEach(() => system.stop())

test('those that ended later are told, and each that cannot be is reported once', async () => {
  const unwritable = await submitEnded(UNWRITABLE, `${'['.repeat(LEVELS)}${']'.repeat(LEVELS)}`)
  const healthy = await submitEnded(30, '"x"')
  const loop = runCallbacks(system.connections.callbackStore, 10)
  await until(toldIds, (told) => told.length === healthy.length)
  await until(
    async () => system.announced('error.unexpected').length,
    (count) => count >= UNWRITABLE,
  )
  const late = await submitEnded(1, '"x"')
  await until(toldIds, (told) => told.length === healthy.length + 1)
  await loop.stop()
  expect(await toldIds()).toEqual([...healthy, ...late].toSorted())
  const reports = system.announced('error.unexpected').map(({ where }) => where)
  expect(reports.toSorted()).toEqual(unwritable.map((id) => `making the callback of task ${id}`).toSorted())
})

test('a batch that is too large as a whole is written one by one', async () => {
  const ended = await submitEnded(3, '"x"')
  const { callbackStore } = system.connections
  await runCallbacks({
    ...callbackStore,
    async createMany(callbacks) {
      if (callbacks.length > 1) throw new RangeError('Invalid string length')
      return callbackStore.createMany(callbacks)
    },
  }).stop()
  expect(await toldIds()).toEqual(ended.toSorted())
  expect(system.announced('error.unexpected')).toEqual([])
})

test('nobody is tried one by one while the database is away', async () => {
  await submitEnded(3, '"x"')
  const sizes: number[] = []
  await runCallbacks({
    ...system.connections.callbackStore,
    async createMany(callbacks) {
      sizes.push(callbacks.length)
      throw new AppError('unavailable', 'away')
    },
  }).stop()
  expect(sizes).toEqual([3])
  expect(system.announced('error.transient')).toMatchObject([{ where: 'callbacks' }])
  expect(system.announced('error.unexpected')).toEqual([])
})

/** With `stop()` right away: one round. */
function runCallbacks(store: CallbackStore, intervalMs = 3_600_000) {
  const { registry, events } = system
  return startCallbacks({ store, registry, onCreated: () => {}, events, intervalMs })
}

/** As an earlier version left them that stored any result. */
async function submitEnded(count: number, result: string): Promise<string[]> {
  const options = { callbackUrl: 'https://example.com/ended' }
  const submitted = await Promise.all(
    Array.from({ length: count }, () => system.service.submit('reverse', { text: 'x' }, options)),
  )
  await system.connections.database.query(sql`
    update tasks set status = 'SUCCESS', attempt = 1, result = ${result}::json, finished_at = now()
    where callback_url is not null and finished_at is null`)
  return submitted.map(({ id }) => id)
}

async function toldIds(): Promise<string[]> {
  const rows = await system.connections.database.query<{ id: string }>(
    sql`select parent_id as id from tasks where parent_id is not null order by 1`,
  )
  return rows.map(({ id }) => id)
}
