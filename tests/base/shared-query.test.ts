// One query for all who ask: how old an answer may be, and what happens when a query takes long or fails.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSharedQueries, createSharedQuery } from '../../src/base/shared-query.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())

/** Queries that take this long, and return their number. */
function slowQuery(durationsMs: number[]) {
  let count = 0
  const load = vi.fn(() => {
    const number = ++count
    return new Promise<number>((resolve) => setTimeout(() => resolve(number), durationsMs[number - 1] ?? 0))
  })
  return { load, query: createSharedQuery(load) }
}

test('all who ask within a second are answered by one query', async () => {
  const load = vi.fn(async () => 'seen')
  const { read } = createSharedQuery(load)
  const readAll = () => Promise.all(Array.from({ length: 20 }, read))
  await readAll()
  vi.advanceTimersByTime(999)
  await readAll()
  expect(load).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  await readAll()
  expect(load).toHaveBeenCalledTimes(2)
})

test('while a new query takes long, the last one answers, and the new one those who ask next', async () => {
  const { query } = slowQuery([10, 500])
  const first = query.read()
  await vi.advanceTimersByTimeAsync(10)
  expect(await first).toBe(1)
  await vi.advanceTimersByTimeAsync(2_000)
  const second = query.read()
  await vi.advanceTimersByTimeAsync(40)
  expect(await second).toBe(1)
  await vi.advanceTimersByTimeAsync(460)
  expect(await query.read()).toBe(2)
})

test('a quick new query is waited for', async () => {
  const { query } = slowQuery([10, 20])
  const first = query.read()
  await vi.advanceTimersByTimeAsync(10)
  await first
  await vi.advanceTimersByTimeAsync(2_000)
  const second = query.read()
  await vi.advanceTimersByTimeAsync(20)
  expect(await second).toBe(2)
})

test('the more a query costs, the longer it serves, but never for so long that it would be a lie', async () => {
  const { query, load } = slowQuery([300, 20_000])
  const first = query.read()
  await vi.advanceTimersByTimeAsync(300)
  await first
  await vi.advanceTimersByTimeAsync(2_600)
  expect(await query.read()).toBe(1)
  expect(load).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(100)
  const second = query.read()
  await vi.advanceTimersByTimeAsync(40)
  expect(await second).toBe(1)
  await vi.advanceTimersByTimeAsync(13_000)
  const third = query.read()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await third).toBe(2)
  expect(load).toHaveBeenCalledTimes(2)
})

test('what a query throws is told to all who wait for it, and after that nothing old', async () => {
  const answers = [
    () => Promise.resolve(1),
    () => Promise.reject(new Error('away')),
    () => Promise.resolve(3),
  ]
  const { read } = createSharedQuery(
    () => answers.shift()?.() ?? Promise.reject(new Error('asked too often')),
  )
  expect(await read()).toBe(1)
  vi.advanceTimersByTime(1_000)
  const failed = await Promise.allSettled([read(), read()])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await read()).toBe(3)
})

test('whoever has changed something sees it at once', async () => {
  const { query } = slowQuery([50, 10])
  const before = query.read()
  await vi.advanceTimersByTimeAsync(20)
  query.invalidate()
  const after = query.read()
  await vi.advanceTimersByTimeAsync(10)
  expect(await after).toBe(2)
  // The query from before comes later, and is for those who asked before.
  await vi.advanceTimersByTimeAsync(20)
  expect([await before, await query.read()]).toEqual([1, 2])
})

test('every key has looks of its own, and keys without end are not all remembered', async () => {
  const load = vi.fn(async (key: number) => key)
  const read = createSharedQueries(load)
  expect(await Promise.all([read(60), read(300), read(60)])).toEqual([60, 300, 60])
  expect(load).toHaveBeenCalledTimes(2)
  for (let key = 1_000; key < 1_100; key++) await read(key)
  await read(1_099)
  expect(load).toHaveBeenCalledTimes(102)
  await read(60)
  expect(load).toHaveBeenCalledTimes(103)
})
