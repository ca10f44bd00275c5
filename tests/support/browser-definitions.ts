// Tasks for the tests of the page: one that waits for the test, and one whose form has every kind of field.
import { z } from 'zod'
import { defineTask } from '../../src/tasks/define.ts'

/** A task that runs until the test opens its gate, or until it is cancelled. */
export function createGatedTask() {
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
    async run({ gate }, { signal, progress }) {
      progress(0.25, 'At the gate')
      const stopped = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => stopped.reject(signal.reason))
      await Promise.race([gateOf(gate).promise, stopped.promise])
      return { passed: gate }
    },
  })
  return { definition, open: (gate: string) => gateOf(gate).resolve() }
}

export const booking = defineTask({
  name: 'booking',
  title: 'Book a table',
  description: 'Every kind of field that a form can have.',
  input: z.object({
    guest: z
      .string()
      .min(2)
      .refine((guest) => guest !== 'Nobody', 'We do not know this guest')
      .meta({ title: 'Guest' }),
    seats: z.int().min(1).max(8).meta({ title: 'Seats' }),
    tip: z.number().gt(0).optional().meta({ title: 'Tip' }),
    room: z.enum(['garden', 'hall']).meta({ title: 'Room' }),
    quiet: z.boolean().default(false).meta({ title: 'Quiet table' }),
    notes: z.string().max(40).optional().meta({ title: 'Notes', format: 'multiline' }),
    courses: z.array(z.string()).meta({ title: 'Courses' }),
  }),
  output: z.object({ table: z.number() }),
  example: { guest: 'Ada', seats: 2, room: 'garden', quiet: true, courses: ['soup', 'cake'] },
  async run({ seats }) {
    return { table: seats * 10 }
  },
})
