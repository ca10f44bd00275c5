// One look for all who ask: how old an answer may be, and what happens when a look takes long or fails.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSharedLook, createSharedLooks } from '../src/shared-look.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())

/** Looks that take so long, and see which one they are. */
function slowLook(durationsMs: number[]) {
  let count = 0
  const load = vi.fn(() => {
    const number = ++count
    return new Promise<number>((resolve) => setTimeout(() => resolve(number), durationsMs[number - 1] ?? 0))
  })
  return { load, look: createSharedLook(load) }
}

test('all who ask within a second are answered by one look', async () => {
  const load = vi.fn(async () => 'seen')
  const { see } = createSharedLook(load)
  const seeAll = () => Promise.all(Array.from({ length: 20 }, see))
  await seeAll()
  vi.advanceTimersByTime(999)
  await seeAll()
  expect(load).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  await seeAll()
  expect(load).toHaveBeenCalledTimes(2)
})

test('while a new look takes long, the last one answers, and the new one those who ask next', async () => {
  const { look } = slowLook([10, 500])
  const first = look.see()
  await vi.advanceTimersByTimeAsync(10)
  expect(await first).toBe(1)
  await vi.advanceTimersByTimeAsync(2_000)
  const second = look.see()
  await vi.advanceTimersByTimeAsync(40)
  expect(await second).toBe(1)
  await vi.advanceTimersByTimeAsync(460)
  expect(await look.see()).toBe(2)
})

test('a quick new look is waited for', async () => {
  const { look } = slowLook([10, 20])
  const first = look.see()
  await vi.advanceTimersByTimeAsync(10)
  await first
  await vi.advanceTimersByTimeAsync(2_000)
  const second = look.see()
  await vi.advanceTimersByTimeAsync(20)
  expect(await second).toBe(2)
})

test('the more a look costs, the longer it serves, but never for so long that it would be a lie', async () => {
  const { look, load } = slowLook([300, 20_000])
  const first = look.see()
  await vi.advanceTimersByTimeAsync(300)
  await first
  await vi.advanceTimersByTimeAsync(2_600)
  expect(await look.see()).toBe(1)
  expect(load).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(100)
  const second = look.see()
  await vi.advanceTimersByTimeAsync(40)
  expect(await second).toBe(1)
  await vi.advanceTimersByTimeAsync(13_000)
  const third = look.see()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await third).toBe(2)
  expect(load).toHaveBeenCalledTimes(2)
})

test('what a look throws is told to all who wait for it, and after that nothing old', async () => {
  const answers = [
    () => Promise.resolve(1),
    () => Promise.reject(new Error('away')),
    () => Promise.resolve(3),
  ]
  const { see } = createSharedLook(() => answers.shift()?.() ?? Promise.reject(new Error('asked too often')))
  expect(await see()).toBe(1)
  vi.advanceTimersByTime(1_000)
  const failed = await Promise.allSettled([see(), see()])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await see()).toBe(3)
})

test('whoever has changed something sees it at once', async () => {
  const { look } = slowLook([50, 10])
  const before = look.see()
  await vi.advanceTimersByTimeAsync(20)
  look.forget()
  const after = look.see()
  await vi.advanceTimersByTimeAsync(10)
  expect(await after).toBe(2)
  // The look from before comes later, and is for those who asked before.
  await vi.advanceTimersByTimeAsync(20)
  expect([await before, await look.see()]).toEqual([1, 2])
})

test('every key has looks of its own, and keys without end are not all remembered', async () => {
  const load = vi.fn(async (key: number) => key)
  const see = createSharedLooks(load)
  expect(await Promise.all([see(60), see(300), see(60)])).toEqual([60, 300, 60])
  expect(load).toHaveBeenCalledTimes(2)
  for (let key = 1_000; key < 1_100; key++) await see(key)
  await see(1_099)
  expect(load).toHaveBeenCalledTimes(102)
  await see(60)
  expect(load).toHaveBeenCalledTimes(103)
})
