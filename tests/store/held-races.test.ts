// A claim of held tasks, and holding a task, while a submission changes the same task.
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createUniqueDefinitions } from '../support/unique-definitions.ts'

const workerId = newId()
let system: TestSystem
beforeEach(async () => {
  system = await startSystem({ definitions: createUniqueDefinitions().definitions, worker: false })
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

/** Inserts a held task with this key of the concurrency limit. */
async function insertHeld(concurrencyKey: string): Promise<string> {
  const [task] = createNewTasks(1).map((created) => ({
    ...created,
    name: 'replaced_and_limited',
    queue: 'default',
    hold: { concurrencyKey, rateKey: '', priority: 'normal' as const },
  }))
  await system.connections.taskStore.insertMany(task ? [task] : [])
  return task?.id ?? ''
}

function limitToOnePerKey() {
  return system.connections.limitStore.writeDefinitions([
    { name: 'replaced_and_limited', limits: { concurrency: 1, rate: null } },
  ])
}

function claim() {
  const part = { queue: 'default', isIsolated: false, names: ['replaced_and_limited'] }
  return system.connections.limitStore.claim(part, { reserve: () => 5, workerId, startNumber: 0 })
}

function end(id: string) {
  const decision = { status: 'SUCCESS' as const, failures: 0, resultText: '{}' }
  return system.connections.taskStore.finishMany([{ id, attempt: 1, workerId, decision, isHeld: true }])
}

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
    const other = await insertHeld('a')
    const { tasks } = await claimDuring(
      `update tasks set enqueued_at = now() where id = '${id}'; delete from held_tasks where task_id = '${id}'`,
    )
    expect(tasks).toEqual([])
    const { tasks: next } = await until(claim, (claimed) => claimed.tasks.length > 0)
    expect(next).toMatchObject([{ id: other }])
  })

  /** Claims while another transaction makes changes, which it commits when the claim waits for it. */
  async function claimDuring(changes: string) {
    const commit = await begin(changes)
    const claimed = claim()
    await untilWaiting(1)
    await commit()
    return claimed
  }

  test('a claim that overlooks the end of a task leaves a turn to the tasks of its key', async () => {
    await limitToOnePerKey()
    const first = await insertHeld('a')
    const { tasks } = await claim()
    expect(tasks).toMatchObject([{ id: first }])
    const second = await insertHeld('a')
    const other = await insertHeld('b')
    const commit = await begin(`select from tasks where id = '${other}' for update`)
    // It has read that the first task runs.
    const claimed = claim()
    await untilWaiting(1)
    const ended = end(first)
    await Promise.race([ended, untilWaiting(2)])
    await commit()
    expect((await claimed).tasks).toMatchObject([{ id: other }])
    expect(await ended).toEqual(['SUCCESS'])
    expect((await claim()).tasks).toMatchObject([{ id: second }])
  })

  test('an end that waits for a group has locked no task, so that it cannot deadlock with a claim', async () => {
    await limitToOnePerKey()
    const id = await insertHeld('a')
    await claim()
    await insertHeld('a')
    await query(sql`update task_groups set turn_at = 'infinity'`)
    const commit = await begin(`select from task_groups for update`)
    const ended = end(id)
    await untilWaiting(1)
    expect(await query(sql`select id from tasks where id = ${id} for update nowait`)).toEqual([{ id }])
    await commit()
    expect(await ended).toEqual(['SUCCESS'])
  })

  /** Begins a transaction with these changes. @returns a function that commits it */
  async function begin(changes: string): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: system.database.url })
    await client.connect()
    await client.query(`begin; ${changes}`)
    return async () => {
      await client.query('commit')
      await client.end()
    }
  }

  /** Waits until so many transactions wait for others. */
  async function untilWaiting(count: number) {
    await until(
      () =>
        query<{ count: number }>(
          sql`select count(*)::int as count from pg_locks where not granted and pid in (
                select pid from pg_stat_activity where datname = current_database())`,
        ),
      ([row]) => (row?.count ?? 0) >= count,
    )
  }
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
  expect((await claim()).tasks).toEqual([])
  expect(await claim()).toMatchObject({ tasks: [], isMore: false })
})
