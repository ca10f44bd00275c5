// Task definitions for the tests of the page.
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'

/**
 * A definition whose tasks run until the test opens their gate, or until they are cancelled. The test can also
 * report progress of a running task.
 */
export function createGatedTask() {
  const reports = new Map<string, TaskContext['progress']>()
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const gateOf = (name: string) => {
    const gate = gates.get(name) ?? Promise.withResolvers<void>()
    gates.set(name, gate)
    return gate
  }
  const definition = defineTask({
    name: 'gated',
    title: 'Wait at a gate',
    description: 'Runs until its gate is opened.',
    input: z.object({ gate: z.string().min(1).meta({ title: 'Gate' }) }),
    output: z.object({ passed: z.string() }),
    example: { gate: 'north' },
    async run({ gate }, { signal, progress, log, attempt }) {
      reports.set(gate, progress)
      progress(0.25, 'At the gate')
      log('At the gate', { gate, attempt })
      const stopped = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => stopped.reject(signal.reason))
      await Promise.race([gateOf(gate).promise, stopped.promise])
      log('Through the gate')
      return { passed: gate }
    },
  })
  return {
    definition,
    open: (gate: string) => gateOf(gate).resolve(),
    report: (gate: string, fraction: number, message: string) => reports.get(gate)?.(fraction, message),
  }
}

/** A definition whose tasks log five lines per second until `stop` is called or the task is aborted. */
export function createLoggingTask() {
  let isStopped = false
  const definition = defineTask({
    name: 'log_continuously',
    title: 'Log continuously',
    description: 'Logs five lines per second.',
    input: z.object({}),
    output: z.object({}),
    example: {},
    async run(_input, { log, signal }) {
      for (let count = 1; !isStopped && !signal.aborted; count++) {
        log(`Line ${count}`)
        await pause(200, signal)
      }
      return {}
    },
  })
  return {
    definition,
    stop: () => {
      isStopped = true
    },
  }
}

export const booking = defineTask({
  name: 'booking',
  title: 'Book a table',
  description: 'Every kind of field that a form can have.',
  input: z.object({
    guest: z
      .string()
      .min(2)
      .refine((guest) => guest !== 'Nobody', 'This guest is unknown')
      .meta({ title: 'Guest' }),
    seats: z.int().min(1).max(8).meta({ title: 'Seats' }),
    tip: z.number().gt(0).optional().meta({ title: 'Tip' }),
    room: z.enum(['garden', 'hall']).meta({ title: 'Room' }),
    quiet: z.boolean().default(false).meta({ title: 'Quiet table' }),
    notes: z.string().max(40).optional().meta({ title: 'Notes', format: 'multiline' }),
    courses: z.array(z.string().min(1)).max(4).meta({ title: 'Courses' }),
    address: z
      .object({
        street: z.string().min(1).meta({ title: 'Street' }),
        floor: z.int().optional().meta({ title: 'Floor' }),
      })
      .optional()
      .meta({ title: 'Address' }),
    people: z
      .array(z.object({ name: z.string().min(1), vegan: z.boolean().default(false) }))
      .optional()
      .meta({ title: 'People' }),
    at: z.iso.datetime().optional().meta({ title: 'At' }),
    day: z.iso.date().optional().meta({ title: 'Day' }),
    music: z.boolean().optional().meta({ title: 'Music' }),
    budget: z.number().nullable().optional().meta({ title: 'Budget' }),
    marks: z.record(z.string(), z.string()).optional().meta({ title: 'Marks' }),
    extra: z
      .union([z.object({ a: z.number() }), z.array(z.string())])
      .optional()
      .meta({ title: 'Extra' }),
  }),
  output: z.object({ table: z.number() }),
  example: { guest: 'Ada', seats: 2, room: 'garden', quiet: true, courses: ['soup', 'cake'] },
  async run({ seats }) {
    return { table: seats * 10 }
  },
})

/** Returns its input unchanged. */
export const echo = defineTask({
  name: 'echo',
  title: 'Echo',
  description: 'Returns its input unchanged.',
  input: z.object({ value: z.unknown() }),
  output: z.unknown(),
  example: { value: 1 },
  run: async ({ value }) => value,
})

/** Returns an integer that a double cannot represent. */
export const largeInteger = defineTask({
  name: 'large_integer',
  title: 'Large integer',
  description: 'Returns an integer of twenty digits.',
  input: z.object({}),
  output: z.object({ id: z.bigint() }),
  example: {},
  run: async () => ({ id: 12345678901234567890n }),
})

/** Logs a line in each attempt, and fails in the first `times` attempts. */
export const failFirst = defineTask({
  name: 'fail_first',
  title: 'Fail in the first attempts',
  description: 'Fails in its first attempts.',
  input: z.object({ times: z.int().min(0) }),
  output: z.object({ attempt: z.number() }),
  example: { times: 1 },
  backoff: { baseMs: 50, capMs: 50 },
  async run({ times }, { attempt, log }) {
    log(`Attempt ${attempt} begins`)
    if (attempt <= times) throw new Error(`failed in attempt ${attempt}`)
    return { attempt }
  },
})
