// Group commit without timers: items that arrive during a write are written together in the next one.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import { createGroupCommit, type GroupCommitOptions, writeLists } from '../../src/base/group-commit.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'
import { tasks } from '../../src/store/schema.ts'
import { createTaskStore } from '../../src/store/task-store.ts'
import { createTestDatabase } from '../support/test-database.ts'

test('a single item is written without waiting for others', async () => {
  const { add, writes } = setup()
  const result = add('a')
  await settled()
  expect(batchesOf(writes)).toEqual(['a'])
  writes[0]?.succeed()
  expect(await result).toBe('A')
})

test('items that arrive within one turn of the event loop are written together', async () => {
  const { add, writes } = setup()
  for (const item of 'abc') add(item)
  await settled()
  expect(batchesOf(writes)).toEqual(['abc'])
})

test('items that arrive during a write are written together in the next one', async () => {
  const { add, writes, group } = setup()
  add('a')
  await settled()
  for (const item of 'bcd') {
    add(item)
    await settled()
  }
  expect(batchesOf(writes)).toEqual(['a'])
  expect(group.waiting).toBe(3)
  writes[0]?.succeed()
  await settled()
  expect(batchesOf(writes)).toEqual(['a', 'bcd'])
  expect(group.waiting).toBe(0)
})

test('the next batch is sent before the items of the previous batch are resolved', async () => {
  const { add, writes } = setup()
  const batchesThen: string[][] = []
  add('a').then(() => batchesThen.push(batchesOf(writes)))
  await settled()
  add('b').catch(() => batchesThen.push(batchesOf(writes)))
  writes[0]?.succeed()
  await settled()
  add('c')
  writes[1]?.fail(new Error('no'))
  await settled()
  expect(batchesThen).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c'],
  ])
})

test('the next batch is written after a write has failed', async () => {
  const { add, writes } = setup()
  const failed = add('a')
  await settled()
  const next = add('b')
  writes[0]?.fail(new Error('no'))
  await expect(failed).rejects.toThrow('no')
  await settled()
  writes[1]?.succeed()
  expect(await next).toBe('B')
})

test('many items are written in batches of at most maxBatch', async () => {
  const { add, writes } = setup({ maxBatch: 3 })
  for (const item of 'abcdefgh') add(item)
  await settled()
  expect(batchesOf(writes)).toEqual(['abc'])
  writes[0]?.succeed()
  await settled()
  expect(batchesOf(writes)).toEqual(['abc', 'def'])
  writes[1]?.succeed()
  await settled()
  expect(batchesOf(writes)).toEqual(['abc', 'def', 'gh'])
})

test('each submission resolves with the result of its own item', async () => {
  const { add, writes } = setup({ maxBatch: 2 })
  const results = Promise.all([...'abcd'].map(add))
  await settled()
  writes[0]?.succeed()
  await settled()
  writes[1]?.succeed()
  expect(await results).toEqual(['A', 'B', 'C', 'D'])
})

test('lists are written in one write, and each list gets its own results', async () => {
  const write = vi.fn(async (letters: string[]) => letters.map((letter) => letter.toUpperCase()))
  expect(await writeLists(write)([['a', 'b'], [], ['c']])).toEqual([['A', 'B'], [], ['C']])
  expect(write.mock.calls).toEqual([[['a', 'b', 'c']]])
})

test('onWritten is called with the items after they are written, not before', async () => {
  const onWritten = vi.fn()
  const { add, writes } = setup({ onWritten })
  add('a')
  add('b')
  await settled()
  expect(onWritten).not.toHaveBeenCalled()
  writes[0]?.succeed()
  await settled()
  expect(onWritten.mock.calls).toEqual([
    [
      ['a', 'b'],
      ['A', 'B'],
    ],
  ])
})

describe('an item that cannot be written', () => {
  test('fails alone, and the other items of its batch are written one by one', async () => {
    const onWritten = vi.fn()
    const write = vi.fn(async (items: string[]) => {
      if (items.includes('!')) throw new Error('! cannot be written')
      return items.map((item) => item.toUpperCase())
    })
    const { add } = createGroupCommit<string, string>({ name: 'letters', write, onWritten })
    const outcomes = await Promise.allSettled([...'ab!c'].map(add))
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'A' },
      { status: 'fulfilled', value: 'B' },
      { status: 'rejected', reason: new Error('! cannot be written') },
      { status: 'fulfilled', value: 'C' },
    ])
    expect(write.mock.calls.map(([items]) => items.join(''))).toEqual(['ab!c', 'a', 'b', '!', 'c'])
    expect(onWritten.mock.calls).toEqual([
      [['a'], ['A']],
      [['b'], ['B']],
      [['c'], ['C']],
    ])
  })

  test('is tried only once when it is alone in its batch', async () => {
    const write = vi.fn(() => Promise.reject(new Error('no')))
    const { add } = createGroupCommit<string, string>({ name: 'letters', write })
    await expect(add('!')).rejects.toThrow('no')
    expect(write).toHaveBeenCalledTimes(1)
  })

  test('fails alone also when the write function throws synchronously', async () => {
    const write = (items: string[]) => {
      if (items.includes('!')) throw new RangeError('too deep')
      return Promise.resolve(items)
    }
    const { add } = createGroupCommit<string, string>({ name: 'letters', write })
    const outcomes = await Promise.allSettled([...'a!'].map(add))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  test('does not fail the other items of its batch when Postgres rejects it', async () => {
    const { store, idsInTable } = await taskStore()
    const { add } = createGroupCommit({ name: 'tasks', write: store.insertMany })
    const tasks = [newTask(['fine']), newTask(['not \u0000 fine']), newTask([])]
    const outcomes = await Promise.allSettled(tasks.map(add))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await idsInTable()).toEqual([tasks[0]?.id, tasks[2]?.id].sort())
  })
})

describe('while the database is unavailable', () => {
  const unavailable = new AppError('unavailable', 'The database cannot be reached')

  test.each([unavailable, new AppError('outcome_unknown', 'Postgres did not confirm the submission')])(
    'the whole batch fails, and its items are not tried one by one: $code',
    async (error) => {
      const { add, writes } = setup()
      const outcomes = Promise.allSettled([...'abc'].map(add))
      await settled()
      writes[0]?.fail(error)
      expect(await outcomes).toEqual(new Array(3).fill({ status: 'rejected', reason: error }))
      expect(batchesOf(writes)).toEqual(['abc'])
    },
  )

  test('items that were not sent are known not to be written if the outcome of the item before is unknown', async () => {
    const { add, writes } = setup()
    const outcomes = Promise.allSettled([...'ab'].map(add))
    await settled()
    writes[0]?.fail(new Error('a bad item'))
    await settled()
    writes[1]?.fail(new AppError('outcome_unknown', 'Postgres did not confirm the submission'))
    expect(await outcomes).toMatchObject([
      { reason: { code: 'outcome_unknown' } },
      { reason: { code: 'unavailable' } },
    ])
    expect(batchesOf(writes)).toEqual(['ab', 'a'])
  })

  test('the remaining items fail immediately when it becomes unavailable while items are written one by one', async () => {
    const { add, writes } = setup()
    const outcomes = Promise.allSettled([...'abcd'].map(add))
    await settled()
    writes[0]?.fail(new Error('a bad item'))
    await settled()
    writes[1]?.succeed()
    await settled()
    writes[2]?.fail(unavailable)
    await settled()
    expect(batchesOf(writes)).toEqual(['abcd', 'a', 'b'])
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
  })

  test('every submission rejects with the error "unavailable" from the Postgres store', async () => {
    const { store, database } = await taskStore()
    const { add } = createGroupCommit({ name: 'tasks', write: store.insertMany })
    await database.close()
    const outcomes = await Promise.allSettled([newTask([]), newTask([])].map(add))
    expect(outcomes).toMatchObject(
      new Array(2).fill({ status: 'rejected', reason: { name: 'AppError', code: 'unavailable' } }),
    )
  })
})

test('a submission beyond maxWaiting is rejected, and all others are written', async () => {
  const { add, writes, group } = setup({ maxWaiting: 2 })
  const first = add('a')
  await settled()
  const waiting = [add('b'), add('c')]
  await expect(add('d')).rejects.toMatchObject({
    code: 'overloaded',
    message: 'Too many letters are waiting; try again',
  })
  expect(group.waiting).toBe(2)
  writes[0]?.succeed()
  await settled()
  writes[1]?.succeed()
  expect(await Promise.all([first, ...waiting])).toEqual(['A', 'B', 'C'])
  const later = add('e')
  await settled()
  writes[2]?.succeed()
  expect(await later).toBe('E')
})

describe('items with a size', () => {
  /** The size of an item is its length. */
  const sized = { sizeOf: (item: string) => item.length, maxBatchBytes: 10, maxWaitingBytes: 20 }

  test('a batch has at most maxBatchBytes, and at least one item', async () => {
    const { add, writes } = setup({ ...sized, maxWaitingBytes: 100 })
    const items = ['aaaa', 'bbbb', 'cccc', 'd'.repeat(15), 'e']
    const results = Promise.all(items.map(add))
    for (let write = 0; write < 4; write++) {
      await settled()
      writes[write]?.succeed()
    }
    expect(await results).toEqual(items.map((item) => item.toUpperCase()))
    expect(writes.map(({ items }) => items)).toEqual([['aaaa', 'bbbb'], ['cccc'], ['d'.repeat(15)], ['e']])
  })

  test('an item beyond maxWaitingBytes is rejected, and accepted again when the others are written', async () => {
    const { add, writes } = setup(sized)
    const first = add('a')
    await settled()
    const waiting = [add('b'.repeat(10)), add('c'.repeat(10))]
    await expect(add('d')).rejects.toMatchObject({
      code: 'overloaded',
      message: 'Too many letters are waiting; try again',
    })
    writes[0]?.succeed()
    await settled()
    const later = add('e'.repeat(10))
    for (const write of [1, 2, 3]) {
      writes[write]?.succeed()
      await settled()
    }
    await Promise.all([first, ...waiting, later])
    expect(writes.map(({ items }) => items.join('').length)).toEqual([1, 10, 10, 10])
  })

  test('an item larger than maxWaitingBytes is accepted if no other waits', async () => {
    const { add, writes } = setup(sized)
    const result = add('a'.repeat(30))
    await settled()
    writes[0]?.succeed()
    expect(await result).toBe('A'.repeat(30))
  })
})

interface Write {
  items: string[]
  /** Resolves every item with its capital letter. */
  succeed(): void
  fail(error: Error): void
}

/** Creates a group commit whose writes stay pending until the test calls `succeed` or `fail`. */
function setup(options: Partial<GroupCommitOptions<string, string>> = {}) {
  const writes: Write[] = []
  const group = createGroupCommit<string, string>({
    name: 'letters',
    write: (items) =>
      new Promise((resolve, reject) => {
        writes.push({ items, succeed: () => resolve(items.map((item) => item.toUpperCase())), fail: reject })
      }),
    ...options,
  })
  return { group, add: group.add, writes }
}

function batchesOf(writes: Write[]): string[] {
  return writes.map(({ items }) => items.join(''))
}

/** Waits two turns of the event loop, so that work deferred to the next turn is done. */
async function settled() {
  await nextTurn()
  await nextTurn()
}

async function taskStore() {
  const testDatabase = await createTestDatabase()
  const database = await openDatabase(testDatabase.url)
  onTestFinished(async () => {
    await database.close().catch(() => {})
    await testDatabase.drop()
  })
  await database.migrate()
  const idsInTable = async () => {
    const rows = await database.use((drizzle) => drizzle.select({ id: tasks.id }).from(tasks))
    return rows.map(({ id }) => id).sort()
  }
  return { store: createTaskStore(database), database, idsInTable }
}

function newTask(tags: string[]): NewTask {
  const policy = { maxRetries: 0, timeoutMs: 1_000 }
  return { id: newId(), name: 'x', queue: 'default', input: {}, createdAt: new Date(), ...policy, tags }
}
