// The API of "BullMQ, no rows": a task is stored as a BullMQ job in Redis only.
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createJobQueue, redisConnection } from './job-queue.ts'
import { readSettings, submission } from './reverse-task.ts'

const settings = readSettings()
const queue = createJobQueue(redisConnection(settings.redisUrl))

const app = new Hono()
  .get('/health', (context) => context.json({ status: 'ok' }))
  .get('/unfinished', async (context) => context.json({ count: await queue.countUnfinished() }))
  .post('/v1/tasks/reverse', zValidator('json', submission), async (context) => {
    const { input } = context.req.valid('json')
    const id = await queue.add(input)
    return context.json({ id, name: 'reverse', status: 'PENDING' }, 202)
  })
  .get('/v1/tasks/:id', async (context) => {
    const id = context.req.param('id')
    const result = await queue.waitForEnd(id, Number(context.req.query('wait') ?? 0) * 1_000)
    // BullMQ removes a completed job immediately, and its result with it. A job that no longer exists has
    // ended.
    return context.json({ id, name: 'reverse', status: 'SUCCESS', result })
  })

serve({ fetch: app.fetch, port: settings.port, hostname: '127.0.0.1' })
