import { expect, test } from 'vitest'
import { startLoop } from '../../src/base/loop.ts'

test('a round that fails is followed by the usual pause, whatever the report of it returns', async () => {
  let rounds = 0
  const errors: unknown[] = []
  const loop = startLoop({
    intervalMs: 3_600_000,
    async body() {
      rounds++
      throw new Error('Postgres is away')
    },
    // As an event emitter answers when somebody listens.
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

test('a round may ask for a shorter pause, and for none', async () => {
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
