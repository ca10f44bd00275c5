import { defineTask, PermanentError } from 'waggle-tasks'
import { z } from 'zod'

/** Runs in an isolated process. */
export const shout = defineTask({
  name: 'shout',
  title: 'Shout',
  description: 'Greets a person in capitals.',
  input: z.object({ name: z.string() }),
  output: z.object({ greeting: z.string(), pid: z.int() }),
  example: { name: 'Ada' },
  isolate: true,
  async run({ name }, { services }) {
    if (name === '') throw new PermanentError('There is nobody to greet')
    return { greeting: services.greet(name).toUpperCase(), pid: process.pid }
  },
})
