import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const hello = defineTask({
  name: 'hello',
  title: 'Say hello',
  description: 'Greets a person.',
  input: z.object({ name: z.string() }),
  output: z.object({ greeting: z.string() }),
  example: { name: 'Ada' },
  async run({ name }, { services, progress }) {
    progress(0.5, 'Greeting')
    return { greeting: services.greet(name) }
  },
})
