// The API of pg-boss: a task is stored as a job in Postgres. One statement inserts it.
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import pg from 'pg'
import { startBoss } from './pg-boss-queue.ts'
import { pollUntilEnded } from './poll.ts'
import { QUEUE, readSettings, submission } from './reverse-task.ts'

const settings = readSettings()
const boss = await startBoss({ databaseUrl: settings.databaseUrl, isWorker: false })
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: 2 })
pool.on('error', (error) => console.error(error))

const app = new Hono()
  .get('/health', (context) => context.json({ status: 'ok' }))
  .get('/unfinished', async (context) => {
    const { rows } = await pool.query(
      `select count(*)::int as count from pgboss.job where state <> 'completed'`,
    )
    return context.json({ count: rows[0].count })
  })
  .post('/v1/tasks/reverse', zValidator('json', submission), async (context) => {
    const { input } = context.req.valid('json')
    const id = await boss.send(QUEUE, input)
    return context.json({ id, name: 'reverse', status: 'PENDING' }, 202)
  })
  .get('/v1/tasks/:id', async (context) => {
    const id = context.req.param('id')
    const waitMs = Number(context.req.query('wait') ?? 0) * 1_000
    const job = await pollUntilEnded(
      async () => (await boss.findJobs(QUEUE, { id }))[0],
      (found) => found?.state === 'completed',
      waitMs,
    )
    const status = job?.state === 'completed' ? 'SUCCESS' : 'PENDING'
    return context.json({ id, name: 'reverse', status, result: job?.output })
  })

serve({ fetch: app.fetch, port: settings.port, hostname: '127.0.0.1' })
