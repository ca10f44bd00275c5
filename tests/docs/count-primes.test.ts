// The task of docs/recipes/worker-kinds.md. tests/containers/project.test.ts runs it by a kind of worker of
// its own.
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { runTask } from 'waggle-tasks/testing'
import { countPrimes } from '../../docs/recipes/count-primes.ts'

test('counts the primes, and reports its progress', async () => {
  const { result, progress } = await runTask(countPrimes, { below: 3_000_000 })
  expect(result).toEqual({ count: 216_816, host: hostname() })
  expect(progress).toHaveLength(2)
})
