// The project of this bench: tasks that do nothing, with and without limits. The processes of the bench load it
// (`WAGGLE_CONFIG`).
import { get } from 'node:http'
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineConfig, defineTask } from '../../src/index.ts'

const input = z.object({
  key: z.string().default(''),
  ms: z.number().default(0),
  port: z.number().default(0),
})
type Input = z.infer<typeof input>

const common = {
  title: 'For the bench',
  description: 'Waits as long as its input says, and then sends a request if its input has a port.',
  input,
  output: z.object({}),
  example: { key: '', ms: 0, port: 0 },
  async run({ ms, port }: Input) {
    if (ms > 0) await pause(ms)
    if (port > 0) await request(port)
    return {}
  },
}

function request(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port }, (response) => response.resume().once('end', resolve)).once(
      'error',
      reject,
    )
  })
}

export default defineConfig({
  tasks: [
    defineTask({ ...common, name: 'plain' }),
    defineTask({ ...common, name: 'urgent', priority: 'high' }),
    defineTask({ ...common, name: 'one_per_key', concurrency: { limit: 1, key: ({ key }: Input) => key } }),
    defineTask({ ...common, name: 'one_at_a_time', concurrency: { limit: 1 } }),
    defineTask({ ...common, name: 'five_hundred_per_second', rateLimit: { limit: 500, perSeconds: 1 } }),
  ],
})
