// Inserts finished tasks for a bench that reads many of them.
import pg from 'pg'

// Characters of an MD5 hash in hexadecimal digits.
const HASH_LENGTH = 32

/**
 * Inserts finished tasks with ids in the order of their numbers. Their results have `resultBytes` random
 * characters, which Postgres cannot compress.
 */
export async function insertFinishedTasks(databaseUrl: string, tasks: number, resultBytes: number) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(
    `insert into tasks (id, name, queue, status, input, result, max_retries, timeout_ms, run_at, created_at, finished_at)
     select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'reverse', 'default', 'SUCCESS', '{"text":"x"}',
            (select to_json(string_agg(md5(n || ' ' || part), '')) from generate_series(1, $2::int) as part), 3, 1000,
            now(), now(), now()
     from generate_series(1, $1::int) as n`,
    [tasks, Math.ceil(resultBytes / HASH_LENGTH)],
  )
  await client.query('vacuum analyze tasks')
  await client.query('checkpoint')
  await client.end()
}
