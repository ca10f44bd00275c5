// Prints the number of tasks per status in a restored database. Runs inside the container of the API, with its
// role and password:
//   docker compose exec -T -e RESTORED_HOST=… api node --input-type=module - < host/count-tasks.js
import pg from 'pg'

const url = new URL(process.env.DATABASE_URL)
url.hostname = process.env.RESTORED_HOST
const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 })
try {
  await client.connect()
  const { rows } = await client.query(
    'select status, count(*)::int as tasks, max(created_at) as newest from tasks group by status order by status',
  )
  for (const { status, tasks, newest } of rows)
    console.log(`${status}: ${tasks}, the newest of ${newest.toISOString()}`)
  console.log(`${rows.reduce((sum, { tasks }) => sum + tasks, 0)} tasks`)
} finally {
  await client.end()
}
