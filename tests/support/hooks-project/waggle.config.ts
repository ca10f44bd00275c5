// A project with hooks, and a task that ends its process, also the isolated one of its second attempt.
import { defineConfig, defineServices, defineTask } from 'waggle-tasks'
import { z } from 'zod'

const crash = defineTask({
  name: 'crash',
  title: 'Crash',
  description: 'Ends its process.',
  input: z.object({}),
  output: z.unknown(),
  example: {},
  maxRetries: 0,
  run: async () => process.exit(3),
})

export default defineConfig({
  tasks: [crash],
  services: defineServices({ open: () => ({ reporter: 'a reporter' }) }),
  hooks: {
    onAttemptError: ({ task, error, willRetry, services, log }) =>
      log('attempt error', { task, error: error.name, willRetry, services }),
    onFailure: ({ task, error, log }) => log('failure', { task, error: error.name }),
  },
})
