import { hostname } from 'node:os'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const countPrimes = defineTask({
  name: 'count_primes',
  title: 'Count the primes',
  description: 'Counts the primes below a limit, which takes a core for up to a minute.',
  input: z.object({ below: z.int().min(2).max(100_000_000) }),
  output: z.object({ count: z.int(), host: z.string() }),
  example: { below: 1_000 },
  queue: 'cpu',
  isolate: { memoryMb: 512 },
  timeoutMs: 300_000,
  async run({ below }, { progress, signal }) {
    const isComposite = new Uint8Array(below)
    let count = 0
    for (let number = 2; number < below; number++) {
      if (number % 1_000_000 === 0) {
        signal.throwIfAborted()
        progress(number / below)
      }
      if (isComposite[number]) continue
      count++
      for (let multiple = number * number; multiple < below; multiple += number) isComposite[multiple] = 1
    }
    return { count, host: hostname() }
  },
})
