// A Postgres that is read-only, for example a replica after a failover: tasks cannot be accepted.
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { startSystem } from '../support/system.ts'

test.skipIf(inject('postgresUrl') === null)('submissions get 503, and the API is not ready', async () => {
  const system = await startSystem({ worker: false })
  onTestFinished(() => system.stop())
  const client = new pg.Client({ connectionString: system.database.url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(`alter database "${client.database}" set default_transaction_read_only = on`)
  // Ends the open connections, so that new ones get the setting.
  await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid()`)

  const submitted = await system.request('POST', '/v1/tasks/reverse', { input: { text: 'a' } })
  expect(submitted.status).toBe(503)
  expect(submitted.headers.get('Retry-After')).toBe('2')
  const ready = await system.request('GET', '/health/ready')
  expect(ready.status).toBe(503)
  expect(ready.body).toMatchObject({ reason: 'Postgres is read-only' })
  // Reads still work.
  expect((await system.request('GET', '/v1/tasks')).status).toBe(200)
})
