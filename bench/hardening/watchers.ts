// Measures what watching costs Postgres: 8,000 clients wait (`?wait=50`) for 8,000 tasks, none of which ends.
// `node bench/hardening/watchers.ts [tasks]`
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { startWaggleApi } from '../running-system.ts'
import { startStores } from '../stores.ts'

const TASKS = Number(process.argv[2] ?? 8_000)
const PER_BATCH = 500
const MEASURED_MS = 20_000
// Length of a tick in /proc/<pid>/stat. Linux counts 100 ticks per second.
const MS_PER_TICK = 10

const stores = await startStores()
const store = await stores.open('watchers')
const database = new pg.Client({ connectionString: store.databaseUrl })
try {
  await database.connect()
  const api = await startWaggleApi(store)
  const ids = await submit(api.port)
  const atRest = await cpuMsPerSecond()
  const clients = ids.map((id) => {
    const client = request({
      port: api.port,
      host: '127.0.0.1',
      path: `/v1/tasks/${id}?wait=50`,
      agent: false,
    })
    client.on('error', () => {})
    client.end()
    return client
  })
  // All requests have arrived, and the first queries are over.
  await pause(10_000)
  const watching = await cpuMsPerSecond()
  for (const client of clients) client.destroy()
  process.stdout.write(
    `${TASKS} watched tasks: Postgres uses ${watching.toFixed(1)} ms of CPU time per second, ` +
      `${atRest.toFixed(1)} ms without them\n`,
  )
  await api.stop()
} finally {
  await database.end()
  await store.close()
  await stores.stop()
}

/** Submits tasks that start in an hour. @returns their ids */
async function submit(port: number): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < TASKS) {
    const tasks = Array.from({ length: Math.min(PER_BATCH, TASKS - ids.length) }, () => ({
      name: 'reverse',
      input: { text: 'ab' },
      options: { delay_seconds: 3_600 },
    }))
    const response = await fetch(`http://127.0.0.1:${port}/v1/tasks/batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ tasks }),
    })
    const { items } = (await response.json()) as { items: { id: string }[] } // the response of the API
    ids.push(...items.map(({ id }) => id))
  }
  return ids
}

/** CPU time that the connections of Waggle have used in Postgres, in ms per second. */
async function cpuMsPerSecond(): Promise<number> {
  const before = await cpuMs()
  await pause(MEASURED_MS)
  return ((await cpuMs()) - before) / (MEASURED_MS / 1_000)
}

async function cpuMs(): Promise<number> {
  const { rows } = await database.query(`select pid from pg_stat_activity where application_name = 'waggle'`)
  const times = await Promise.all(rows.map(({ pid }) => cpuMsOf(pid)))
  return times.reduce((sum, ms) => sum + ms, 0)
}

async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // Fields 14 and 15 of proc(5), utime and stime. Field 2, the name in parentheses, can contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * MS_PER_TICK
}
