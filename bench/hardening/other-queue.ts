// Measures how a backlog in one queue delays another queue: 100 tasks with `delay_seconds: 1` and 10 lost
// deliveries in queue b, while 200,000 tasks are due in queue a. `node bench/hardening/other-queue.ts
// [tasks]`
import pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import { percentile } from '../statistics.ts'
import { startStores } from '../stores.ts'

const DUE_IN_A = Number(process.argv[2] ?? 200_000)
const DELAYED = 100
const LOST = 10
const LIMIT_MS = 60_000

const stores = await startStores()
const store = await stores.open('other_queue')
const database = new pg.Client({ connectionString: store.databaseUrl })
try {
  await database.connect()
  const api = await startWaggleApi(store)
  // 'now' for enqueued_at: marked as enqueued a moment ago, but Redis has no delivery.
  const insert = `
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, enqueued_at)
    select gen_random_uuid(), 'reverse', $1, 'PENDING', '{"text":"ab"}', 0, 1000, now() - interval '1 s', now(), $3
    from generate_series(1, $2)`
  await database.query(insert, ['a', DUE_IN_A, null])
  const worker = await startWaggleWorker(store, { WORKER_QUEUES: 'a,b' })
  while ((await countUnfinished('a')) === DUE_IN_A) await pause(50)
  await database.query(insert, ['b', LOST, 'now'])
  for (let count = 0; count < DELAYED; count++) {
    const response = await fetch(`http://127.0.0.1:${api.port}/v1/tasks/reverse`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ input: { text: 'ab' }, options: { queue: 'b', delay_seconds: 1 } }),
    })
    if (response.status !== 202) throw new Error(`The submission got status ${response.status}`)
    await pause(40)
  }
  const deadline = performance.now() + LIMIT_MS
  while ((await countUnfinished('b')) > 0) {
    if (performance.now() > deadline) throw new Error('Queue b was not done in time')
    await pause(100)
  }
  const leftInA = await countUnfinished('a')
  const { rows } = await database.query(
    `select extract(epoch from started_at - run_at)::float8 * 1000 as ms, created_at < run_at as "isDelayed"
     from tasks where queue = 'b'`,
  )
  const late = rows
    .filter(({ isDelayed }) => isDelayed)
    .map(({ ms }) => ms)
    .sort((one, other) => one - other)
  // The lost ones were enqueued one second after their run_at.
  const repaired = rows.filter(({ isDelayed }) => !isDelayed).map(({ ms }) => ms - 1_000)
  process.stdout.write(
    `${DUE_IN_A} due in a (${leftInA} left at the end): ${late.length} delayed tasks in b started late by p50 ` +
      `${Math.round(percentile(late, 50))} ms, p99 ${Math.round(percentile(late, 99))} ms; ` +
      `${repaired.length} lost deliveries in b ran after at most ${(Math.max(...repaired) / 1_000).toFixed(1)} s\n`,
  )
  await Promise.all([worker.stop(), api.stop()])
} finally {
  await database.end()
  await store.close()
  await stores.stop()
}

async function countUnfinished(queue: string): Promise<number> {
  const { rows } = await database.query(
    'select count(*)::int as count from tasks where queue = $1 and finished_at is null',
    [queue],
  )
  return rows[0].count
}
