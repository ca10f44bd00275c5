// Claims of held tasks while limits change, while groups are locked, and with many groups of one key.
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Limited } from '../../src/definitions/limits.ts'
import { sql } from '../../src/store/drizzle.ts'
import { holdAgain, type UnheldTask } from '../../src/store/held/hold-again.ts'
import { openHeldStore } from '../support/held-store.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
let held: ReturnType<typeof openHeldStore>
beforeEach(async () => {
  system = await startSystem({ worker: false })
  held = openHeldStore(system, { name: 'held', queue: 'unused' })
})
afterEach(() => system.stop())

const query: TestSystem['connections']['database']['query'] = (statement) =>
  system.connections.database.query(statement)

/** Inserts tasks as a process does that knows no limits. */
async function insertPlain(count: number): Promise<UnheldTask[]> {
  const tasks = createNewTasks(count).map((task) => ({ ...task, name: 'held' }))
  const marks = await system.connections.taskStore.insertMany(tasks)
  return tasks.map(({ id, name, queue }, index) => {
    const enqueuedAtMs = marks[index] ?? 0
    return { id, name, queue, attempt: 0, isIsolated: false, enqueuedAtMs, priority: null }
  })
}

const HOUR_MS = 3_600_000
const perHour = (limit: number) => ({ limit, perMs: HOUR_MS })
const startedBy = async (claim: ReturnType<typeof held.claim>) => (await claim).tasks.length

describe('a changed limit applies to the starts of the current span:', () => {
  test.each(['', 'a key'])('rate limit of the definition, key %j', async (key) => {
    await held.limit({ concurrency: null, rate: perHour(1) })
    for (let n = 0; n < 6; n++) await held.insert('', key)
    expect(await startedBy(held.claim())).toBe(1)
    expect(await startedBy(held.claim())).toBe(0)
    await held.limit({ concurrency: null, rate: perHour(3) })
    expect(await startedBy(held.claim())).toBe(2)
    await held.limit({ concurrency: null, rate: perHour(2) })
    expect(await startedBy(held.claim())).toBe(0)
    await held.limit({ concurrency: null, rate: perHour(4) })
    expect(await startedBy(held.claim())).toBe(1)
    await held.limit(null)
    expect(await startedBy(held.claim())).toBe(2)
  })

  test('rate limit of the queue', async () => {
    const { queueStore } = system.connections
    await queueStore.setLimits('unused', { concurrency: null, rate: perHour(1) })
    for (let n = 0; n < 4; n++) await held.insert('')
    expect(await startedBy(held.claim())).toBe(1)
    expect(await startedBy(held.claim())).toBe(0)
    await queueStore.setLimits('unused', { concurrency: null, rate: perHour(3) })
    expect(await startedBy(held.claim())).toBe(2)
    await queueStore.setLimits('unused', { concurrency: null, rate: perHour(2) })
    expect(await startedBy(held.claim())).toBe(0)
  })

  test.each(['', 'a key'])('concurrency, key %j', async (key) => {
    await held.limit({ concurrency: 1, rate: null })
    for (let n = 0; n < 3; n++) await held.insert(key)
    expect(await startedBy(held.claim())).toBe(1)
    expect(await startedBy(held.claim())).toBe(0)
    await held.limit({ concurrency: 2, rate: null })
    expect(await startedBy(held.claim())).toBe(1)
  })
})

test.each(['definition', 'queue'])(
  'a claim of plain tasks obeys the first limits of the %s',
  async (scope) => {
    const [before, after] = await insertPlain(2)
    const { taskStore, queueStore } = system.connections
    const claimPlain = async (task: UnheldTask | undefined) => {
      const claim = { id: task?.id ?? '', attempt: 0, workerId: newId(), isRepeated: false }
      return taskStore.claimMany([claim])
    }
    expect(await claimPlain(before)).toMatchObject([{ id: before?.id }])
    const limits = { concurrency: 1, rate: null }
    if (scope === 'queue') await queueStore.setLimits('unused', limits)
    else await held.limit(limits)
    expect(await claimPlain(after)).toEqual([null])
  },
)

// PGlite has one connection, so no transaction waits for another.
describe.skipIf(inject('postgresUrl') === null)('while other transactions have locked rows', () => {
  test.each(['definition', 'queue'])('a claim obeys the first limits of the %s', async (scope) => {
    for (let n = 0; n < 3; n++) await held.insert('')
    const commit = await held.begin('select from task_groups for update')
    const limits = { concurrency: 1, rate: null }
    // The limits of a definition are committed when their statement has locked the group, before the claim.
    const limited = scope === 'definition' && held.limit(limits)
    if (limited) await held.untilWaiting(1)
    // It has locked no limits, because there are none.
    const claimed = held.claim()
    await held.untilWaiting(limited ? 2 : 1)
    if (scope === 'queue') await system.connections.queueStore.setLimits('unused', limits)
    await commit()
    await limited
    // It starts no task, because other claims may have locked the limits.
    expect(await startedBy(claimed)).toBe(0)
    expect(await startedBy(held.claim())).toBe(1)
    expect(await startedBy(held.claim())).toBe(0)
  })

  test('a group that is locked without a gap delays no other group, and is claimed in the end', async () => {
    const [first, other] = [await held.insert('locked'), await held.insert('other')]
    const lock = "select from task_groups where concurrency_key = 'locked' for update"
    const commit = await held.begin(lock)
    expect((await held.claim()).tasks).toMatchObject([{ id: other }])
    const unlock = lockWithoutGap(commit, lock)
    expect((await held.claim()).tasks).toMatchObject([{ id: first }])
    await unlock()
  })

  test('a claim whose process stands still starts nothing, as if Postgres could not be reached', async () => {
    const id = await held.insert('')
    const block = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000)
    await expect(held.claim(5, block)).rejects.toMatchObject({ code: 'unavailable' })
    expect((await held.claim()).tasks).toMatchObject([{ id, attempt: 1 }])
  })

  test('rows that a claim has locked are not waited for when old ones are deleted', async () => {
    const { limitStore } = system.connections
    await query(sql`
      insert into rate_usage (scope, name, key, at_ms, count)
      values ('definition', 'unlimited', 'a', 1, 1), ('definition', 'unlimited', 'b', 1, 1)`)
    const commit = await held.begin(`select from rate_usage where key = 'a' for update`)
    await limitStore.clean()
    expect(await query(sql`select key from rate_usage`)).toEqual([{ key: 'a' }])
    await commit()
    await limitStore.clean()
    expect(await query(sql`select key from rate_usage`)).toEqual([])
  })

  /** Locks rows by transactions of which each waits for the one before. @returns a function that ends this */
  function lockWithoutGap(commit: () => Promise<void>, statement: string): () => Promise<void> {
    let isOver = false
    const locking = lock()
    return () => {
      isOver = true
      return locking
    }

    async function lock() {
      let commitLast = commit
      while (!isOver) {
        const next = held.begin(statement)
        await held.untilWaiting(1)
        await commitLast()
        commitLast = await next
      }
      await commitLast()
    }
  }
})

describe('a process that does not know the definition', () => {
  const keyed = { name: 'held', priority: 'normal' as const, concurrency: { limit: 1, key: () => 'a' } }

  test('leaves tasks whose limits have keys to others, so that the limit of a key is not exceeded', async () => {
    await held.limit({ concurrency: 1, rate: null }, true)
    const [first, second] = await insertPlain(2)
    await holdIn(() => undefined, first)
    await holdIn(() => keyed, second)
    expect((await held.claim()).tasks).toMatchObject([{ id: second?.id }])
    await holdIn(() => keyed, first)
    expect((await held.claim()).tasks).toEqual([])
    await held.end(second?.id ?? '')
    expect((await held.claim()).tasks).toMatchObject([{ id: first?.id }])
  })

  test('holds tasks whose limits have no keys', async () => {
    await held.limit({ concurrency: 1, rate: null })
    const [task] = await insertPlain(1)
    await holdIn(() => undefined, task)
    expect((await held.claim()).tasks).toMatchObject([{ id: task?.id }])
  })

  test('and a task whose input has no valid key is held without one', async () => {
    await held.limit({ concurrency: 1, rate: null }, true)
    const [task] = await insertPlain(1)
    await holdIn(() => ({ ...keyed, concurrency: { limit: 1, key: () => '' } }), task)
    expect((await held.claim()).tasks).toMatchObject([{ id: task?.id }])
  })

  const holdIn = (find: (name: string) => Limited | undefined, task: UnheldTask | undefined) =>
    holdAgain(system.connections.limitStore, find, task ? [task] : [])
})

describe('with many groups of one key', () => {
  const GROUPS = 130

  test('the end of a task gives a bounded number of them a turn, and all are claimed in the end', async () => {
    await held.limit({ concurrency: 1, rate: null })
    const ids = new Set<string>()
    for (let n = 0; n < GROUPS; n++) ids.add(await held.insert('a', `rate ${n}`))
    // Claims until all other groups wait for the end of the first task.
    let last = await claimOne()
    while ((await countTurns()) > 0) expect(await startedBy(held.claim(GROUPS))).toBe(0)
    await held.end(last)
    ids.delete(last)
    expect(await countTurns()).toBeGreaterThan(0)
    expect(await countTurns()).toBeLessThanOrEqual(100)
    while (ids.size > 0) {
      last = await claimOne()
      expect(ids.delete(last)).toBe(true)
      await held.end(last)
    }
  })

  async function claimOne(): Promise<string> {
    const { tasks } = await held.claim(1)
    expect(tasks).toHaveLength(1)
    return tasks[0]?.id ?? ''
  }

  async function countTurns(): Promise<number> {
    const [row] = await query<{ count: number }>(
      sql`select count(*)::int as count from task_groups where turn_at <= now()`,
    )
    return row?.count ?? -1
  }
})
