// Definitions with `unique` for tests. Their attempts run until the test opens their gate.
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask, RetryLaterError, type TaskDefinition } from '../../src/definitions/define.ts'
import type { Unique } from '../../src/definitions/unique.ts'

const input = z.object({
  key: z.string().default('a'),
  n: z.number().default(0),
  secret: z.string().optional().meta({ sensitive: true }),
  /** `hold` runs until the gate is open, `fail slowly` fails the first attempt and waits for two seconds. */
  does: z.enum(['end', 'hold', 'fail slowly', 'fail forever']).default('end'),
})
export type UniqueInput = z.infer<typeof input>

export interface UniqueRuns {
  /** Inputs of the attempts, in the order of their starts. */
  started: UniqueInput[]
  isGateOpen: boolean
}

export function createUniqueDefinitions(): { definitions: TaskDefinition[]; runs: UniqueRuns } {
  const runs: UniqueRuns = { started: [], isGateOpen: false }
  const byKey = (given: UniqueInput) => given.key
  const define = (name: string, unique: Unique<UniqueInput>, more: object = {}) =>
    defineTask({
      name,
      title: 'Unique',
      description: 'Does what its input says.',
      input,
      output: z.object({ n: z.number() }),
      example: { key: 'a', n: 0, does: 'end' as const },
      backoff: { baseMs: 20, capMs: 50 },
      maxRetries: 1,
      unique,
      ...more,
      async run(given: UniqueInput, { attempt, signal }) {
        runs.started.push(given)
        while (given.does === 'hold' && !runs.isGateOpen && !signal.aborted) await pause(5)
        if (given.does === 'fail forever') throw new Error('no')
        if (given.does === 'fail slowly' && attempt === 1) throw new RetryLaterError('no', { delayMs: 2_000 })
        return { n: given.n }
      },
    })
  const definitions = [
    define('until_started', { key: byKey, until: 'started' }),
    define('until_finished', { key: byKey, until: 'finished' }),
    define('for_a_second', { key: byKey, until: { seconds: 1 } }),
    define('for_an_hour', { key: byKey, until: { seconds: 3_600 } }),
    define('one_at_all', { until: 'finished' }),
    define('replaced', { key: byKey, until: 'started', onConflict: 'replace' }),
    define('replaced_until_finished', { key: byKey, until: 'finished', onConflict: 'replace' }),
    define('debounced', {
      key: byKey,
      until: 'started',
      onConflict: 'debounce',
      delaySeconds: 60,
      maxDelaySeconds: 90,
    }),
    define('debounced_briefly', { key: byKey, until: 'started', onConflict: 'debounce', delaySeconds: 0.5 }),
    define(
      'replaced_and_limited',
      { until: 'started', onConflict: 'replace' },
      { concurrency: { limit: 1, key: byKey } },
    ),
    define(
      'debounced_and_limited',
      { until: 'started', onConflict: 'debounce', delaySeconds: 0.5 },
      { concurrency: { limit: 1, key: byKey } },
    ),
    define('bad_key', {
      until: 'finished',
      key(given) {
        if (given.key === 'throw') throw new Error('no such customer')
        if (given.key === 'long') return 'x'.repeat(201)
        return given.key === 'number' ? (1 as never) : given.key
      },
    }),
  ]
  return { definitions: definitions as TaskDefinition[], runs }
}
