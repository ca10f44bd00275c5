// Random outcomes of attempts: retry delays and the status that follows. A failure prints the seed that
// reproduces it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type Outcome, retryDelayMs } from '../../src/definitions/task-status.ts'

describe('decisions about attempts', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const backoff = fc
    .tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 3_600_000 }))
    .map(([baseMs, more]) => ({ baseMs, capMs: baseMs + more }))
  const failures = fc.integer({ min: 1, max: 5_000 })

  test('retry delays are between 0 and the cap, and do not decrease until they reach the cap', () => {
    fc.assert(
      fc.property(backoff, failures, chance, chance, (policy, count, one, other) => {
        const pauseMs = retryDelayMs(policy, count, one)
        const nextMs = retryDelayMs(policy, count + 1, other)
        expect(Number.isInteger(pauseMs) && pauseMs >= 0 && pauseMs <= policy.capMs).toBe(true)
        if (policy.baseMs * 2 ** count <= policy.capMs) expect(nextMs).toBeGreaterThanOrEqual(pauseMs)
      }),
    )
  })

  test('the retry budget is never exceeded, SUCCESS is never lost, and only PENDING and RETRY have a delay', () => {
    const error = fc.record({
      name: fc.string(),
      message: fc.string(),
      retryable: fc.boolean(),
    })
    const outcome: fc.Arbitrary<Outcome> = fc.oneof(
      fc.record({ kind: fc.constant('succeeded' as const), resultText: fc.json() }),
      fc.record({ kind: fc.constant('failed' as const), error }),
      fc.record({ kind: fc.constant('cancelled' as const) }),
      fc.record({ kind: fc.constant('released' as const) }),
    )
    const task = fc.record({
      failures: fc.nat(20),
      maxRetries: fc.nat(20),
      backoff,
      isCancelRequested: fc.boolean(),
    })
    fc.assert(
      fc.property(task, outcome, chance, (before, end, random) => {
        const after = decide(before, end, random)
        expect(after.failures - before.failures).toBe(end.kind === 'failed' ? 1 : 0)
        expect(after.delayMs !== undefined).toBe(['PENDING', 'RETRY'].includes(after.status))
        expect(after.status === 'SUCCESS').toBe(end.kind === 'succeeded')
        if (after.status === 'RETRY') expect(after.failures).toBeLessThanOrEqual(before.maxRetries)
        if (before.isCancelRequested) expect(['SUCCESS', 'CANCELLED']).toContain(after.status)
        if (end.kind === 'failed') expect(after.error).toEqual(end.error)
      }),
      { numRuns: 500 },
    )
  })
})
