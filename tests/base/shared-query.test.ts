// A shared query: how old its value may be, and what callers get while a new query is slow or has failed.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSharedQueries, createSharedQuery } from '../../src/base/shared-query.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())

/** The n-th query takes `durationsMs[n - 1]` and resolves with n. */
function slowQuery(durationsMs: number[]) {
  let count = 0
  const load = vi.fn(() => {
    const number = ++count
    return new Promise<number>((resolve) => setTimeout(() => resolve(number), durationsMs[number - 1] ?? 0))
  })
  return { load, query: createSharedQuery(load) }
}

test('all reads within a second share one query', async () => {
  const load = vi.fn(async () => 'value')
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

test('while a new query is slow, reads return the previous value; later reads return the new one', async () => {
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

test('a read waits for a new query that is fast', async () => {
  const { query } = slowQuery([10, 20])
  const first = query.read()
  await vi.advanceTimersByTimeAsync(10)
  await first
  await vi.advanceTimersByTimeAsync(2_000)
  const second = query.read()
  await vi.advanceTimersByTimeAsync(20)
  expect(await second).toBe(2)
})

test('a slower query is reused for longer, but a value older than 15 seconds is never returned', async () => {
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

test('a failed query rejects all reads that wait for it, and the value from before it is not returned again', async () => {
  const outcomes = [
    () => Promise.resolve(1),
    () => Promise.reject(new Error('unavailable')),
    () => Promise.resolve(3),
  ]
  const { read } = createSharedQuery(
    () => outcomes.shift()?.() ?? Promise.reject(new Error('too many queries')),
  )
  expect(await read()).toBe(1)
  vi.advanceTimersByTime(1_000)
  const failed = await Promise.allSettled([read(), read()])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await read()).toBe(3)
})

test('a read after invalidate() starts a new query', async () => {
  const { query } = slowQuery([50, 10])
  const before = query.read()
  await vi.advanceTimersByTimeAsync(20)
  query.invalidate()
  const after = query.read()
  await vi.advanceTimersByTimeAsync(10)
  expect(await after).toBe(2)
  // The older query resolves later; only the reads that began before invalidate() get its value.
  await vi.advanceTimersByTimeAsync(20)
  expect([await before, await query.read()]).toEqual([1, 2])
})

test('each key has its own shared query, and only the 100 most recently read keys are kept', async () => {
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
