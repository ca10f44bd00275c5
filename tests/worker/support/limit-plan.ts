// Random plans for a test of limits: definitions, submissions, and faults at random times.
import fc from 'fast-check'
import { type Limits, PRIORITIES } from '../../../src/definitions/limits.ts'
import { LIMITED_COUNT, type LimitedDefinition } from '../../support/limited-definitions.ts'

// All submissions and faults begin within this time.
const PLAN_MS = 10_000
const BURSTS = 60
const FAULTS = 12
const MAX_WORKERS = 3

const isKeyed = fc.boolean()

const concurrency = fc.record({ limit: fc.integer({ min: 1, max: 4 }), isKeyed })

// At least 20 starts per second, so that all tasks end within some seconds.
const rateLimit = fc
  .record({ limit: fc.integer({ min: 2, max: 20 }), perSecond: fc.integer({ min: 20, max: 60 }), isKeyed })
  .map(({ perSecond, ...rest }) => ({
    ...rest,
    perSeconds: Math.max(0.1, Math.round((1_000 * rest.limit) / perSecond) / 1_000),
  }))

/** A value in one of `n` cases, otherwise undefined. */
const oneIn = <Value>(n: number, arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: n - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

const priority = fc.constantFrom(...PRIORITIES)

const definition: fc.Arbitrary<LimitedDefinition> = fc.oneof(
  fc.record({ concurrency, priority }),
  fc.record({ rateLimit, priority }),
  fc.record({ concurrency, rateLimit, priority }),
  // Limits of the queue apply to these, too.
  fc.record({ priority }),
)

const queueLimits: fc.Arbitrary<Limits> = fc.record({
  concurrency: fc.oneof(fc.constant(null), fc.integer({ min: 5, max: 10 })),
  rate: fc.oneof(
    fc.constant(null),
    fc.record({ limit: fc.integer({ min: 30, max: 60 }), perMs: fc.constant(500) }),
  ),
})

const burst = fc.record({
  atMs: fc.nat(PLAN_MS),
  definition: fc.nat(LIMITED_COUNT - 1),
  count: fc.integer({ min: 1, max: 16 }),
  key: fc.constantFrom('a', 'b', 'c'),
  ms: fc.nat(60),
  ends: fc.array(fc.constantFrom('fail', 'fail', 'snooze', 'snooze', 'give up'), { maxLength: 2 }),
  priority: oneIn(3, priority),
  /** How long after the submission the tasks are due. */
  delayMs: oneIn(4, fc.nat(1_000)),
  /** How long after the submission they expire. */
  expiresInMs: oneIn(8, fc.integer({ min: 100, max: 3_000 })),
})
export type Burst = typeof burst extends fc.Arbitrary<infer Value> ? Value : never

const FAULT_KINDS = [
  // kill -9 of a worker. Another worker finds that its heartbeat is missing.
  'kill',
  // The same, and the supervisor puts its tasks back.
  'crash',
  // A worker stops and releases its tasks.
  'stop',
  'flush Redis',
  'restart Redis',
  'pause the queue',
  // Postgres closes all connections of API and workers. Nobody knows whether their last statements were committed.
  'disconnect',
  'cancel',
  'retry',
] as const

const fault = fc.record({
  atMs: fc.nat(PLAN_MS),
  kind: fc.constantFrom(...FAULT_KINDS),
  /** Index of the worker, modulo the number of workers. */
  worker: fc.nat(MAX_WORKERS - 1),
  /** Which share of all tasks so far is cancelled or retried, and how much of it is skipped before. */
  share: fc.double({ min: 0, max: 0.3, noNaN: true }),
  from: fc.double({ min: 0, max: 0.7, noNaN: true }),
})
export type Fault = typeof fault extends fc.Arbitrary<infer Value> ? Value : never

const byTime = <Item extends { atMs: number }>(items: Item[]) => items.toSorted((a, b) => a.atMs - b.atMs)

// Without bias towards small values, which would make most plans trivial.
export const limitPlan = fc.noBias(
  fc.record({
    definitions: fc.array(definition, { minLength: LIMITED_COUNT, maxLength: LIMITED_COUNT }),
    queueLimits: oneIn(2, queueLimits),
    /** Number of slots of each worker. */
    slots: fc.array(fc.integer({ min: 2, max: 8 }), { minLength: 1, maxLength: MAX_WORKERS }),
    bursts: fc.array(burst, { minLength: BURSTS, maxLength: BURSTS }).map(byTime),
    faults: fc.array(fault, { minLength: FAULTS, maxLength: FAULTS }).map(byTime),
  }),
)
export type LimitPlan = typeof limitPlan extends fc.Arbitrary<infer Value> ? Value : never
