// Background loops: the pause between rounds and what happens after a failed round.
import { expect, test } from 'vitest'
import { startLoop } from '../../src/base/loop.ts'

test('a failed round is followed by the usual pause, whatever onError returns', async () => {
  let rounds = 0
  const errors: unknown[] = []
  const loop = startLoop({
    intervalMs: 3_600_000,
    async body() {
      rounds++
      throw new Error('Postgres is unavailable')
    },
    // Returns true, like `EventEmitter.emit` when there is a listener.
    onError: (error) => errors.push(error) > 0,
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(rounds).toBe(1)
  expect(errors).toHaveLength(1)
  loop.wake()
  await new Promise((resolve) => setImmediate(resolve))
  expect(rounds).toBe(2)
  await loop.stop()
})

test('a round can return a shorter pause; a negative one starts the next round immediately', async () => {
  let rounds = 0
  await new Promise<void>((resolve) => {
    const loop = startLoop({
      intervalMs: 3_600_000,
      async body() {
        if (++rounds === 3) void loop.stop().then(resolve)
        return -5
      },
      onError: () => {},
    })
  })
  expect(rounds).toBe(3)
})
