// A callback that cannot be stored does not prevent other callbacks from being stored.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import type { CallbackStore } from '../../src/store/callback-store.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startCallbacks } from '../../src/worker/loops/callbacks.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

// More than one batch of callbacks.
const UNWRITABLE = 25
// Nested deep enough that JSON.stringify overflows the stack; Postgres and JSON.parse do not.
const LEVELS = 6_000

let system: TestSystem
beforeEach(async () => {
  system = await startSystem({ worker: false })
})
afterEach(() => system.stop())

test('callbacks of tasks that finished later are created, and each callback that cannot be stored is reported once', async () => {
  const unwritable = await submitFinished(UNWRITABLE, `${'['.repeat(LEVELS)}${']'.repeat(LEVELS)}`)
  const healthy = await submitFinished(30, '"x"')
  const loop = runCallbacks(system.connections.callbackStore, 10)
  await until(parentIds, (ids) => ids.length === healthy.length)
  await until(
    async () => system.emitted('error.unexpected').length,
    (count) => count >= UNWRITABLE,
  )
  const late = await submitFinished(1, '"x"')
  await until(parentIds, (ids) => ids.length === healthy.length + 1)
  await loop.stop()
  expect(await parentIds()).toEqual([...healthy, ...late].toSorted())
  const reports = system.emitted('error.unexpected').map(({ where }) => where)
  expect(reports.toSorted()).toEqual(unwritable.map((id) => `creating the callback of task ${id}`).toSorted())
})

test('a batch that is too large is stored one callback at a time', async () => {
  const finished = await submitFinished(3, '"x"')
  const { callbackStore } = system.connections
  await runCallbacks({
    ...callbackStore,
    async createMany(callbacks) {
      if (callbacks.length > 1) throw new RangeError('Invalid string length')
      return callbackStore.createMany(callbacks)
    },
  }).stop()
  expect(await parentIds()).toEqual(finished.toSorted())
  expect(system.emitted('error.unexpected')).toEqual([])
})

test('callbacks are not tried one by one while the database is unavailable', async () => {
  await submitFinished(3, '"x"')
  const sizes: number[] = []
  await runCallbacks({
    ...system.connections.callbackStore,
    async createMany(callbacks) {
      sizes.push(callbacks.length)
      throw new AppError('unavailable', 'unavailable')
    },
  }).stop()
  expect(sizes).toEqual([3])
  expect(system.emitted('error.transient')).toMatchObject([{ where: 'callbacks' }])
  expect(system.emitted('error.unexpected')).toEqual([])
})

/** Starts the loop. If it is stopped immediately, it does exactly one round. */
function runCallbacks(store: CallbackStore, intervalMs = 3_600_000) {
  const { registry, events } = system
  return startCallbacks({ store, registry, onCreated: () => {}, events, intervalMs })
}

/** Creates finished tasks with a result that is beyond the limits, as an earlier version could store it. */
async function submitFinished(count: number, result: string): Promise<string[]> {
  const options = { callbackUrl: 'https://example.com/finished' }
  const submitted = await Promise.all(
    Array.from({ length: count }, () => system.service.submit('reverse', { text: 'x' }, options)),
  )
  await system.connections.database.query(sql`
    update tasks set status = 'SUCCESS', attempt = 1, result = ${result}::json, finished_at = now()
    where callback_url is not null and finished_at is null`)
  return submitted.map(({ id }) => id)
}

async function parentIds(): Promise<string[]> {
  const rows = await system.connections.database.query<{ id: string }>(
    sql`select parent_id as id from tasks where parent_id is not null order by 1`,
  )
  return rows.map(({ id }) => id)
}
