// The API of "BullMQ + rows": inserts a row per task, adds the job, then responds.
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createJobQueue, redisConnection } from './job-queue.ts'
import { readSettings, submission } from './reverse-task.ts'
import { openTaskRows } from './task-rows.ts'

const settings = readSettings()
const queue = createJobQueue(redisConnection(settings.redisUrl))
const rows = openTaskRows(settings.databaseUrl)
await rows.createTable()

const app = new Hono()
  .get('/health', (context) => context.json({ status: 'ok' }))
  .post('/v1/tasks/reverse', zValidator('json', submission), async (context) => {
    const { input } = context.req.valid('json')
    const task = await rows.insert('reverse', input)
    await queue.add(input, task.id)
    return context.json(task, 202)
  })
  .get('/v1/tasks/:id', async (context) => {
    const id = context.req.param('id')
    const waitMs = Number(context.req.query('wait') ?? 0) * 1_000
    const task = await rows.find(id)
    if (!task) return context.notFound()
    if (task.finishedAt || waitMs === 0) return context.json(task)
    await queue.waitForEnd(id, waitMs)
    return context.json(await rows.find(id))
  })

serve({ fetch: app.fetch, port: settings.port, hostname: '127.0.0.1' })
