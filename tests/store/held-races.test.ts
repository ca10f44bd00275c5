// A claim of held tasks, and holding a task, while a submission changes the same task.
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { openHeldStore } from '../support/held-store.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createUniqueDefinitions } from '../support/unique-definitions.ts'

let system: TestSystem
let held: ReturnType<typeof openHeldStore>
beforeEach(async () => {
  system = await startSystem({ definitions: createUniqueDefinitions().definitions, worker: false })
  held = openHeldStore(system, { name: 'replaced_and_limited', queue: 'default' })
})
afterEach(() => system.stop())

const query: TestSystem['connections']['database']['query'] = (statement) =>
  system.connections.database.query(statement)

async function submitHeld(): Promise<string> {
  const { id } = await system.service.submit('replaced_and_limited', { key: 'a' })
  await system.service.whenEnqueued()
  expect(await heldCount()).toBe(1)
  return id
}

const limitToOnePerKey = () => held.limit({ concurrency: 1, rate: null })

async function heldCount(): Promise<number> {
  const [row] = await query<{ count: number }>(sql`select count(*)::int as count from held_tasks`)
  return row?.count ?? -1
}

// PGlite has one connection, so no transaction waits for another.
describe.skipIf(inject('postgresUrl') === null)('while another transaction has locked rows', () => {
  test('a claim does not start a task that has left its group', async () => {
    const id = await submitHeld()
    const { tasks } = await claimDuring(`update tasks set enqueued_at = now(); delete from held_tasks`)
    expect(tasks).toEqual([])
    expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  })

  test('a claim leaves a turn to the other tasks of the group', async () => {
    const id = await submitHeld()
    await limitToOnePerKey()
    const other = await held.insert('a')
    const { tasks } = await claimDuring(
      `update tasks set enqueued_at = now() where id = '${id}'; delete from held_tasks where task_id = '${id}'`,
    )
    expect(tasks).toEqual([])
    const { tasks: next } = await until(
      () => held.claim(),
      (claimed) => claimed.tasks.length > 0,
    )
    expect(next).toMatchObject([{ id: other }])
  })

  /** Claims while another transaction makes changes, which it commits when the claim waits for it. */
  async function claimDuring(changes: string) {
    const commit = await held.begin(changes)
    const claimed = held.claim()
    await held.untilWaiting(1)
    await commit()
    return claimed
  }

  test('a claim that overlooks the end of a task leaves a turn to the tasks of its key', async () => {
    await limitToOnePerKey()
    const first = await held.insert('a')
    const { tasks } = await held.claim()
    expect(tasks).toMatchObject([{ id: first }])
    const second = await held.insert('a')
    const other = await held.insert('b')
    const commit = await held.begin(`select from tasks where id = '${other}' for update`)
    // It has read that the first task runs.
    const claimed = held.claim()
    await held.untilWaiting(1)
    const ended = held.end(first)
    await Promise.race([ended, held.untilWaiting(2)])
    await commit()
    expect((await claimed).tasks).toMatchObject([{ id: other }])
    expect(await ended).toEqual(['SUCCESS'])
    expect((await held.claim()).tasks).toMatchObject([{ id: second }])
  })

  test('a claim under the old limit leaves a turn to the tasks that a raised limit allows', async () => {
    const limitTo = (limit: number) => held.limit({ concurrency: null, rate: { limit, perMs: 3_600_000 } })
    await limitTo(1)
    await held.insert('', 'a')
    expect((await held.claim()).tasks).toHaveLength(1)
    const [second, other] = [await held.insert('', 'a'), await held.insert('', 'b')]
    const commit = await held.begin(`select from tasks where id = '${other}' for update`)
    // It has read the old limit.
    const claimed = held.claim()
    await held.untilWaiting(1)
    const raised = limitTo(2)
    await Promise.race([raised, held.untilWaiting(2)])
    await commit()
    expect((await claimed).tasks).toMatchObject([{ id: other }])
    await raised
    expect((await held.claim()).tasks).toMatchObject([{ id: second }])
  })

  test('an end leaves a turn to a task of its key that was submitted and claimed in vain after the end began', async () => {
    await limitToOnePerKey()
    const started = [await held.insert('a'), await held.insert('b')]
    expect((await held.claim()).tasks).toHaveLength(2)
    const commit = await held.begin(`select from task_groups where concurrency_key = 'a' for update`)
    const ended = held.end(...started)
    await held.untilWaiting(1)
    const next = await held.insert('b')
    expect((await held.claim()).tasks).toEqual([])
    await commit()
    expect(await ended).toEqual(['SUCCESS', 'SUCCESS'])
    expect((await held.claim()).tasks).toMatchObject([{ id: next }])
  })

  test('an end that waits for a group has locked no task, so that it cannot deadlock with a claim', async () => {
    await limitToOnePerKey()
    const id = await held.insert('a')
    await held.claim()
    await held.insert('a')
    await query(sql`update task_groups set turn_at = 'infinity'`)
    const commit = await held.begin(`select from task_groups for update`)
    const ended = held.end(id)
    await held.untilWaiting(1)
    expect(await query(sql`select id from tasks where id = ${id} for update nowait`)).toEqual([{ id }])
    await commit()
    expect(await ended).toEqual(['SUCCESS'])
  })
})

test('a task is not held with the keys of an input that was replaced meanwhile', async () => {
  const id = await submitHeld()
  await query(sql`delete from held_tasks`)
  const [row] = await query<{ atMs: number }>(sql`
    update tasks set enqueued_at = now() returning extract(epoch from enqueued_at)::float8 * 1000 as "atMs"`)
  const enqueuedAtMs = row?.atMs ?? 0
  const task = { id, name: 'replaced_and_limited', queue: 'default', attempt: 0 }
  const hold = { concurrencyKey: 'old', rateKey: '', priority: 'normal' as const }
  const { limitStore } = system.connections
  await limitStore.hold([{ ...task, hold, enqueuedAtMs: enqueuedAtMs - 1 }])
  expect(await heldCount()).toBe(0)
  await limitStore.hold([{ ...task, hold, enqueuedAtMs }])
  expect(await heldCount()).toBe(1)
})

test('a task that has expired gives no turn right after a claim, which would repeat it without end', async () => {
  await submitHeld()
  await query(sql`update tasks set expires_at = now() - interval '1 s'`)
  await query(sql`update held_tasks set expires_at = now() - interval '1 s'`)
  expect((await held.claim()).tasks).toEqual([])
  expect(await held.claim()).toMatchObject({ tasks: [], isMore: false })
})
