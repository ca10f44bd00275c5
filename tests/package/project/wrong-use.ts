// Mistakes that the compiler must report. A comment without a mistake below it is an error too.
import { defineConfig, defineTask } from 'waggle-tasks'
import { createClient } from 'waggle-tasks/client'
import { z } from 'zod'
import type config from './waggle.config.ts'

export const wrong = defineTask({
  name: 'wrong',
  title: 'Wrong',
  description: 'Uses things that do not exist.',
  input: z.object({ name: z.string() }),
  output: z.object({ greeting: z.string() }),
  // @ts-expect-error the example is no valid input
  example: { name: 1 },
  async run({ name }, { services }) {
    // @ts-expect-error the input has no such member
    name.first
    // @ts-expect-error the project has no such service
    services.shout(name)
    // @ts-expect-error the service takes a text
    services.greet(1)
    // @ts-expect-error `close` is no service
    services.close()
    return { greeting: services.greet(name) }
  },
})

export const wrongResult = defineTask({
  ...wrong,
  // @ts-expect-error the result lacks a member
  async run() {
    return {}
  },
})

// @ts-expect-error the configuration has no such member
defineConfig({ tasks: [wrong], task: [] })

const client = createClient<typeof config>({ baseUrl: '' })
// @ts-expect-error there is no such task
await client.submit('hallo', { name: 'Ada' })
// @ts-expect-error the input lacks a member
await client.submit('hello', {})
const task = await client.waitFor(await client.submit('hello', { name: 'Ada' }))
// @ts-expect-error the result is null unless the task has succeeded
task.result.greeting
// @ts-expect-error another task has this member
if (task.status === 'SUCCESS') task.result.pid
