// The API of graphile-worker: a task is stored as a job in Postgres. One statement inserts it.
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { makeWorkerUtils } from 'graphile-worker'
import { Hono } from 'hono'
import pg from 'pg'
import { pollUntilEnded } from './poll.ts'
import { QUEUE, readSettings, submission } from './reverse-task.ts'

const settings = readSettings()
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: 2 })
pool.on('error', (error) => console.error(error))
const utils = await makeWorkerUtils({
  preset: { worker: { connectionString: settings.databaseUrl, maxPoolSize: 20 } },
})
await utils.migrate()

async function countJobs(id?: string): Promise<number> {
  const { rows } = await pool.query({
    name: id ? 'job' : 'jobs',
    text: `select count(*)::int as count from graphile_worker._private_jobs ${id ? 'where id = $1' : ''}`,
    values: id ? [id] : [],
  })
  return rows[0].count
}

const app = new Hono()
  .get('/health', (context) => context.json({ status: 'ok' }))
  .get('/unfinished', async (context) => context.json({ count: await countJobs() }))
  .post('/v1/tasks/reverse', zValidator('json', submission), async (context) => {
    const { input } = context.req.valid('json')
    const { id } = await utils.addJob(QUEUE, input)
    return context.json({ id, name: 'reverse', status: 'PENDING' }, 202)
  })
  .get('/v1/tasks/:id', async (context) => {
    const id = context.req.param('id')
    // graphile-worker deletes a job that has succeeded and keeps no result. A job that no longer exists has
    // ended.
    const left = await pollUntilEnded(
      () => countJobs(id),
      (count) => count === 0,
      Number(context.req.query('wait') ?? 0) * 1_000,
    )
    return context.json({ id, name: 'reverse', status: left === 0 ? 'SUCCESS' : 'PENDING' })
  })

serve({ fetch: app.fetch, port: settings.port, hostname: '127.0.0.1' })
