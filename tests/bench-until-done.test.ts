// What the bench takes for the end of a flood.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { untilDone } from '../bench/until-done.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const signal = new AbortController().signal

test.each([0, 1, 40, 120, 900, 8_000])(
  'an end %i ms after the first question is seen at once',
  async (endMs) => {
    const startedAt = Date.now()
    let questions = 0
    const seen = untilDone(async () => {
      questions++
      return Math.max(0, Math.ceil(20 * (endMs - (Date.now() - startedAt))))
    }, signal)
    await vi.runAllTimersAsync()
    expect(await seen).toBe(0)
    expect(Date.now() - startedAt - endMs).toBeLessThanOrEqual(10)
    expect(questions).toBeLessThan(60)
  },
)

test('what stands still is given up', async () => {
  const seen = untilDone(async () => 7, signal)
  await vi.runAllTimersAsync()
  expect(await seen).toBe(7)
})
