// Tests how the bench detects the end of a flood, with a clock that advances only in pauses.
import { expect, test } from 'vitest'
import { untilDone } from '../../bench/until-done.ts'

const signal = new AbortController().signal

test.each([0, 1, 40, 120, 900, 8_000])(
  'an end %i ms after the first query is detected within 10 ms',
  async (endMs) => {
    const clock = createClock()
    let queries = 0
    const countUnfinished = async () => {
      queries++
      return Math.max(0, Math.ceil(20 * (endMs - clock.now())))
    }
    expect(await untilDone(countUnfinished, signal, clock)).toBe(0)
    expect(clock.now() - endMs).toBeLessThanOrEqual(10)
    expect(queries).toBeLessThan(60)
  },
)

test('tasks that do not finish are returned after 30 s without progress', async () => {
  expect(await untilDone(async () => 7, signal, createClock())).toBe(7)
})

function createClock() {
  let ms = 0
  return {
    now: () => ms,
    async pause(pauseMs: number) {
      ms += pauseMs
    },
  }
}
