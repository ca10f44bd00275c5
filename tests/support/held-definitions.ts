// Definitions with limits for tests, and a record of how many of their attempts ran at the same time.
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask, SnoozeError, type TaskDefinition } from '../../src/definitions/define.ts'

const input = z.object({ key: z.string().default('a'), ms: z.number().default(0), n: z.number().default(0) })
type Input = z.infer<typeof input>

export interface Runs {
  /** Ends of attempts in their order. */
  ended: Input[]
  /** Maximum number of attempts that ran at the same time, by key. */
  peaks: Map<string, number>
}

export function createHeldDefinitions(): { definitions: TaskDefinition[]; runs: Runs } {
  const runs: Runs = { ended: [], peaks: new Map() }
  const running = new Map<string, number>()
  const common = {
    title: 'Held',
    description: 'Runs as long as its input says.',
    input,
    output: z.object({}),
    example: { key: 'a', ms: 0, n: 0 },
  }
  const runTask = async (given: Input, { signal }: { signal: AbortSignal }) => {
    const count = (running.get(given.key) ?? 0) + 1
    running.set(given.key, count)
    runs.peaks.set(given.key, Math.max(count, runs.peaks.get(given.key) ?? 0))
    try {
      await pause(given.ms, signal)
      signal.throwIfAborted()
      return {}
    } finally {
      running.set(given.key, (running.get(given.key) ?? 1) - 1)
      runs.ended.push(given)
    }
  }
  const definitions = [
    defineTask({ ...common, name: 'plain', run: runTask }),
    defineTask({
      ...common,
      name: 'one_per_key',
      concurrency: { limit: 1, key: (given: Input) => given.key },
      run: runTask,
    }),
    defineTask({ ...common, name: 'two_at_once', concurrency: { limit: 2 }, run: runTask }),
    defineTask({ ...common, name: 'ten_per_second', rateLimit: { limit: 10, perSeconds: 1 }, run: runTask }),
    defineTask({
      ...common,
      name: 'keyed_rate',
      rateLimit: { limit: 1, perSeconds: 2, key: (given: Input) => given.key },
      run: runTask,
    }),
    defineTask({ ...common, name: 'urgent', priority: 'high', run: runTask }),
    defineTask({
      ...common,
      name: 'no_key',
      concurrency: {
        limit: 1,
        key(given: Input) {
          if (given.key === 'throw') throw new Error('no such customer')
          return given.key === 'number' ? (1 as never) : given.key
        },
      },
      run: runTask,
    }),
    defineTask({
      ...common,
      name: 'snoozes',
      concurrency: { limit: 1 },
      maxRetries: 0,
      async run(given: Input, { attempt }) {
        if (attempt <= given.n) throw new SnoozeError({ delayMs: 50 })
        return {}
      },
    }),
    defineTask({
      ...common,
      name: 'fails_once',
      concurrency: { limit: 1, key: (given: Input) => given.key },
      backoff: { baseMs: 20, capMs: 50 },
      async run(_: Input, { attempt }) {
        if (attempt === 1) throw new Error('not the first time')
        return {}
      },
    }),
  ]
  return { definitions: definitions as TaskDefinition[], runs }
}
