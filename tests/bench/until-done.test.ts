// What the bench takes for the end of a flood, by a clock that only pauses move.
import { expect, test } from 'vitest'
import { untilDone } from '../../bench/until-done.ts'

const signal = new AbortController().signal

test.each([0, 1, 40, 120, 900, 8_000])(
  'an end %i ms after the first question is seen at once',
  async (endMs) => {
    const clock = createClock()
    let questions = 0
    const countUnfinished = async () => {
      questions++
      return Math.max(0, Math.ceil(20 * (endMs - clock.now())))
    }
    expect(await untilDone(countUnfinished, signal, clock)).toBe(0)
    expect(clock.now() - endMs).toBeLessThanOrEqual(10)
    expect(questions).toBeLessThan(60)
  },
)

test('what stands still is given up', async () => {
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
