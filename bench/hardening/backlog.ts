// Submits a backlog while no worker runs, then starts a worker and measures how fast the backlog drains, and
// how much memory Redis needs. `node bench/hardening/backlog.ts [tasks] [maxmemory of Redis, e.g. 8mb]`
import pg from 'pg'
import { createClient } from 'redis'
import { pause } from '../../src/base/loop.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import { startStores } from '../stores.ts'

const TASKS = Number(process.argv[2] ?? 1_000_000)
const MAX_MEMORY = process.argv[3] ?? '0'
const PER_BATCH = 500
const CONNECTIONS = 8
const LIMIT_MS = 300_000
const EARLY = 20_000

const stores = await startStores()
const store = await stores.open('backlog')
const database = new pg.Client({ connectionString: store.databaseUrl })
const redis = createClient({ url: store.redisUrl })
try {
  await Promise.all([database.connect(), redis.connect()])
  await redis.configSet({ maxmemory: MAX_MEMORY, 'maxmemory-policy': 'noeviction' })
  const api = await startWaggleApi(store)
  const empty = await usedMemory()
  await submit(api.port, EARLY)
  const early = await usedMemory()
  const submitMs = await timed(() => submit(api.port, TASKS - EARLY))
  const full = await usedMemory()
  // The first worker is stopped after a moment, so that it releases and returns what it holds.
  const first = await startWaggleWorker(store)
  await untilEnded(TASKS / 20)
  await first.stop()
  const { rows: ended } = await database.query(
    'select count(*)::int as done from tasks where finished_at is not null',
  )
  const startMs = performance.now()
  const worker = await startWaggleWorker(store)
  const late = await submit(api.port, 1)
  let peak = 0
  const sampling = setInterval(async () => {
    peak = Math.max(peak, await usedMemory())
  }, 100)
  await untilEnded(TASKS + 1 - ended[0].done)
  clearInterval(sampling)
  const seconds = (performance.now() - startMs) / 1_000
  const { rows } = await database.query(
    `select count(*) filter (where started_at > late.at)::int as overtaken,
            count(*) filter (where status = 'SUCCESS')::int as succeeded
     from tasks, (select started_at as at from tasks where id = $1) as late`,
    [late],
  )
  const megabytes = (bytes: number) => (bytes / 1_048_576).toFixed(1)
  process.stdout.write(
    `${TASKS} tasks submitted at ${Math.round((TASKS - EARLY) / (submitMs / 1_000))}/s, ` +
      `drained at ${Math.round((TASKS + 1 - ended[0].done) / seconds)}/s, ${rows[0].succeeded} succeeded, ` +
      `${rows[0].overtaken} overtaken by a later one; Redis (maxmemory ${MAX_MEMORY}): empty ${megabytes(empty)} MB, ` +
      `at ${EARLY} ${megabytes(early)}, at ${TASKS} ${megabytes(full)}, peak while draining ${megabytes(peak)}\n`,
  )
  await Promise.all([worker.stop(), api.stop()])
} finally {
  await database.end()
  redis.destroy()
  await store.close()
  await stores.stop()
}

/** Submits tasks in batches. @returns the id of the last task */
async function submit(port: number, count: number): Promise<string> {
  let left = count
  let lastId = ''
  const sendBatches = async () => {
    while (left > 0) {
      const size = Math.min(PER_BATCH, left)
      left -= size
      const tasks = Array.from({ length: size }, () => ({ name: 'reverse', input: { text: 'ab' } }))
      const response = await fetch(`http://127.0.0.1:${port}/v1/tasks/batch`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ tasks }),
      })
      const { items } = (await response.json()) as { items: { id: string }[] } // the response of the API
      lastId = items.at(-1)?.id ?? ''
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sendBatches))
  return lastId
}

/**
 * Waits until the running worker has ended this many attempts. Its row has the count of its last heartbeat.
 */
async function untilEnded(count: number): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  for (;;) {
    const { rows } = await database.query('select processed::int as processed from workers')
    if ((rows[0]?.processed ?? 0) >= count) return
    if (performance.now() > deadline)
      throw new Error(`${count} attempts had not ended after ${LIMIT_MS / 1_000} s`)
    await pause(250)
  }
}

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}
