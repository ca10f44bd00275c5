// Definitions whose attempts run in isolated processes, and misbehave there. Their results name the process.
import { AsyncResource } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { defineTask, PermanentError } from '../../src/definitions/define.ts'

/** The module that isolated processes of tests execute. */
export const ISOLATED_SCRIPT = fileURLToPath(new URL('./isolated-script.ts', import.meta.url))

const common = {
  title: 'For tests',
  description: 'For tests.',
  input: z.any(),
  output: z.unknown(),
  example: {},
  backoff: { baseMs: 50, capMs: 100 },
  maxRetries: 0,
}

export function createIsolatedDefinitions() {
  return [
    defineTask({
      ...common,
      name: 'isolated_compute',
      isolate: true,
      async run({ ms = 0, rounds = 0 }: { ms?: number; rounds?: number }, { progress, attempt }) {
        compute(ms, progress)
        computeRounds(rounds)
        return { pid: process.pid, attempt }
      },
    }),
    defineTask({
      ...common,
      name: 'isolated_typed',
      isolate: true,
      input: z.object({ email: z.email(), copies: z.int().default(1) }),
      example: { email: 'ada@example.com', copies: 1 },
      maxRetries: 3,
      run: async (input) => input,
    }),
    defineTask({ ...common, name: 'isolated_echo', isolate: true, run: async (input) => input }),
    defineTask({
      ...common,
      name: 'isolated_fault',
      isolate: { memoryMb: 256, killGraceMs: 300, maxAttemptsPerProcess: 3 },
      run: async ({ fault }: { fault: keyof typeof FAULTS }, context) => {
        context.log('before the fault', { fault })
        return FAULTS[fault](context)
      },
    }),
    defineTask({
      ...common,
      name: 'isolated_context',
      isolate: true,
      async run(_, context) {
        const { id, attempt, requestId, traceparent, progress, log, signal } = context
        progress(0.25, 'a quarter')
        log('a line', { number: 1, circle: circular(), big: 2n })
        await pause(10_000, undefined, { signal }).catch(() => {})
        log(`aborted: ${signal.reason?.reason}`)
        return { id, attempt, requestId, traceparent, reason: signal.reason?.reason }
      },
    }),
    defineTask({ ...common, name: 'not_listed', isolate: true, run: async () => 'never' }),
  ]
}

function compute(ms: number, progress: (fraction: number) => void) {
  const startedMs = performance.now()
  for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - startedMs) progress(elapsedMs / ms)
}

/** Uses the same CPU time in each call with the same argument, whatever else the machine does. */
export function computeRounds(rounds: number) {
  let hash = Buffer.alloc(64)
  for (let round = 0; round < rounds; round++) hash = createHash('sha512').update(hash).digest()
  return hash
}

function circular(): unknown {
  const circle: { self?: unknown } = {}
  circle.self = circle
  return circle
}

const shared = new AsyncResource('shared connection')

type Context = { signal: AbortSignal }

const FAULTS = {
  exit: (): never => {
    process.stderr.write('last words\n')
    process.exit(7)
  },
  'exit 0': (): never => process.exit(0),
  abort: (): never => process.abort(),
  kill: (): Promise<never> => {
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => {})
  },
  leak: async (): Promise<never> => {
    const kept: Buffer[] = []
    for (;;) {
      kept.push(Buffer.alloc(16 * 1024 * 1024, 1))
      await pause(1)
    }
  },
  loop: (): never => {
    for (;;);
  },
  ignore: (): Promise<never> => new Promise(() => {}),
  throw: () => Promise.reject(new PermanentError('as requested')),
  timer: (): Promise<never> => {
    setTimeout(() => {
      throw new RangeError('astray')
    }, 1)
    return new Promise(() => {})
  },
  // The connection was made when this module was loaded, so its errors belong to no attempt.
  'shared connection': (): Promise<never> => {
    shared.runInAsyncScope(() =>
      setImmediate(() => {
        throw new RangeError('astray')
      }),
    )
    return new Promise(() => {})
  },
  'exits at its abort': ({ signal }: Context): Promise<never> => {
    signal.addEventListener('abort', () => process.exit(9))
    return new Promise(() => {})
  },
  'writes to stderr': async () => void process.stderr.write('of another task\n'),
  'talks to the worker': async () => {
    process.send?.(null)
    process.send?.({ kind: 'ended', run: 1, outcome: { kind: 'succeeded', resultText: '"forged"' } })
    return 'its own result'
  },
  'late rejection': async () => {
    await pause(300)
    setTimeout(() => Promise.reject(new RangeError('late')), 50)
    return process.pid
  },
  unstorable: async () => circular(),
  'child processes': async ({ signal }: Context): Promise<never> => {
    // Each one starts two more until the system refuses: here only as many as the test needs.
    for (let count = 0; count < 5; count++) spawn('sleep', ['1000'], { stdio: 'ignore' })
    await new Promise(() => signal.addEventListener('abort', () => {}))
    throw new Error('never')
  },
  pid: async () => process.pid,
}

export type Fault = keyof typeof FAULTS
