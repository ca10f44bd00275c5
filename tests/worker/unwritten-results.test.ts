// Results that are not written yet: they are limited, and at the limit the worker claims no further tasks.
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const MIB = 1_024 * 1_024
const SLOTS = 4
// Any number that no other code uses as the key of an advisory lock.
const LOCK = 7_541

let returned = 0
const fill = defineTask({
  name: 'fill',
  title: 'Returns a large result',
  description: 'for tests',
  input: z.object({ size: z.number() }),
  output: z.string(),
  example: { size: 1 },
  async run({ size }) {
    returned++
    return 'x'.repeat(size)
  },
})

let system: TestSystem
let lock: pg.Client
beforeEach(async (context) => {
  returned = 0
  system = await startSystem({ worker: { concurrency: SLOTS }, definitions: [fill] })
  if (!system.database.isServer) return context.skip('PGlite has one connection, which the lock would block')
  await blockResults()
})
afterEach(async () => {
  await lock?.end()
  await system.stop()
})

test('large results that cannot be written keep their slots, so that few tasks are claimed', async () => {
  await submitMany(60, { size: MIB - 2 })
  await untilReturned(16 + SLOTS)
  // 16 MiB of results have freed their slots. The results of the last four attempts keep theirs.
  expect(returned).toBe(16 + SLOTS)
  await lock.end()
  await untilSuccess(60)
})

test('small results that cannot be written free their slots, up to a limit of their number', async () => {
  await submitMany(2_100, { size: 1 })
  await untilReturned(2_000 + SLOTS)
  expect(returned).toBe(2_000 + SLOTS)
  await lock.end()
  await untilSuccess(2_100)
})

/** Lets every write of a result wait until the connection `lock` ends. Claims are not blocked. */
async function blockResults() {
  const { database } = system.connections
  await database.query(sql`
    create function wait_for_test() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(7541);
      return new;
    end $$`)
  await database.query(sql`
    create trigger wait_for_test before update on tasks for each row
    when (new.status = 'SUCCESS') execute function wait_for_test()`)
  lock = new pg.Client({ connectionString: system.database.url })
  await lock.connect()
  await lock.query('select pg_advisory_lock($1)', [LOCK])
}

async function submitMany(count: number, input: { size: number }) {
  while (count > 0) {
    const tasks = Array.from({ length: Math.min(count, 100) }, () => ({ name: 'fill', input }))
    const { status } = await system.request('POST', '/v1/tasks/batch', { tasks })
    expect(status).toBe(202)
    count -= tasks.length
  }
}

/**
 * Waits until this many handlers have returned, and then for two heartbeats: in that time a worker that still
 * claimed would start the other tasks too.
 */
async function untilReturned(count: number) {
  await until(
    async () => returned,
    () => returned >= count,
  )
  const lastBeat = async () => Number((await system.connections.workerStore.list())[0]?.lastBeatAt)
  for (let beats = 0; beats < 2; beats++) {
    const before = await lastBeat()
    await until(lastBeat, (at) => at > before)
  }
}

const untilSuccess = (count: number) =>
  until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === count,
  )
