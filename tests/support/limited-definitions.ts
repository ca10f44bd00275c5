// Definitions with limits that tests choose, and whose attempts run as their inputs say. The limits can be passed to
// a worker process as JSON.
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask, PermanentError, SnoozeError, type TaskDefinition } from '../../src/definitions/define.ts'
import type { Priority } from '../../src/definitions/limits.ts'
import type { RunRecorder } from './test-definitions.ts'

/** Limits of one definition. A limit with a key applies to each `key` of the inputs. */
export interface LimitedDefinition {
  concurrency?: { limit: number; isKeyed: boolean }
  rateLimit?: { limit: number; perSeconds: number; isKeyed: boolean }
  priority: Priority
}

/** Number of definitions that isolated processes know. */
export const LIMITED_COUNT = 5

export const limitedName = (index: number) => `limited_${index}`

const input = z.object({
  key: z.string(),
  ms: z.number(),
  /** How the first attempts end. Later ones succeed. */
  ends: z.array(z.enum(['fail', 'snooze', 'give up'])),
})
export type LimitedInput = z.infer<typeof input>

/**
 * @param limited the limits, in the order of the names; by default none, for processes in which limits have no effect
 * @param recorder gets two records of each attempt that ends: `begins` and `ends`
 */
export function createLimitedDefinitions(
  limited: readonly LimitedDefinition[] = Array.from({ length: LIMITED_COUNT }, () => ({
    priority: 'normal',
  })),
  recorder?: RunRecorder,
): TaskDefinition[] {
  return limited.map(({ concurrency, rateLimit, priority }, index) => {
    const definition = defineTask({
      name: limitedName(index),
      title: 'Limited',
      description: 'Runs as its input says.',
      input,
      output: z.object({}),
      example: { key: 'a', ms: 0, ends: [] },
      backoff: { baseMs: 20, capMs: 100 },
      maxRetries: 20,
      ...(concurrency && { concurrency: { limit: concurrency.limit, ...keyOf(concurrency) } }),
      ...(rateLimit && {
        rateLimit: { limit: rateLimit.limit, perSeconds: rateLimit.perSeconds, ...keyOf(rateLimit) },
      }),
      priority,
      async run({ ms, ends }, context) {
        await recorder?.record(context, 'begins')
        await pause(ms, context.signal)
        await recorder?.record(context, 'ends')
        context.signal.throwIfAborted()
        const end = ends[context.attempt - 1]
        if (end === 'fail') throw new Error('as requested')
        if (end === 'give up') throw new PermanentError('as requested')
        if (end === 'snooze') throw new SnoozeError({ delayMs: 30 })
        return {}
      },
    })
    return definition as TaskDefinition
  })
}

function keyOf({ isKeyed }: { isKeyed: boolean }) {
  return isKeyed ? { key: ({ key }: LimitedInput) => key } : {}
}
