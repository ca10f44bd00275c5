import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const hello = defineTask({
  name: 'hello',
  title: 'Say hello',
  description: 'Greets somebody by name.',
  input: z.object({ name: z.string().min(1).max(100).meta({ title: 'Name' }) }),
  output: z.object({ greeting: z.string() }),
  example: { name: 'Ada' },
  async run({ name }, { progress, log }) {
    log('Greeting somebody', { name })
    progress(0.5, 'Writing the greeting')
    return { greeting: `Hello, ${name}!` }
  },
})
