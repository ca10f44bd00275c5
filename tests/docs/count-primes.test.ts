// The task of docs/recipes/worker-kinds.md. tests/containers/project.test.ts runs it by a kind of worker of
// its own.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { runTask } from 'waggle-tasks/testing'
import { countPrimes } from '../../docs/recipes/count-primes.ts'

const readRecipe = (name: string) =>
  readFileSync(new URL(`../../docs/recipes/${name}`, import.meta.url), 'utf8')

test('worker-kinds.md contains count-primes.ts', () => {
  const code = readRecipe('count-primes.ts')
  expect(readRecipe('worker-kinds.md')).toContain(`\`\`\`ts\n// tasks/count-primes.ts\n${code}\`\`\``)
})

test('counts the primes, and reports its progress', async () => {
  const { result, progress } = await runTask(countPrimes, { below: 3_000_000 })
  expect(result).toEqual({ count: 216_816, host: hostname() })
  expect(progress).toHaveLength(2)
})
