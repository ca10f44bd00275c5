// `node bench/hardening/large-list.ts` lists 200 tasks with results of 1 MB (`GET /v1/tasks?limit=200`, page by page)
// and measures the memory of the API. Prints one line.
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { startWaggleApi } from '../running-system.ts'
import { startStores } from '../stores.ts'

const TASKS = 200

const stores = await startStores()
try {
  const store = await stores.open('large_list')
  const api = await startWaggleApi(store)
  try {
    await seed(store.databaseUrl)
    const restMb = await memoryMb(api.pid, 'VmRSS')
    const startMs = performance.now()
    const first = await list(api.port, null)
    // The peak since the start of the process: it used less memory before the list.
    const firstMb = await memoryMb(api.pid, 'VmHWM')
    const { pages, tasks } = await listAll(api.port)
    const seconds = (performance.now() - startMs) / 1_000
    const peakMb = await memoryMb(api.pid, 'VmHWM')
    process.stdout.write(
      `${TASKS} tasks with results of 1 MB: ${tasks} tasks in ${pages} pages, ${seconds.toFixed(1)} s; ` +
        `API ${restMb.toFixed(0)} MB at rest, ${firstMb.toFixed(0)} MB after the first page of ${first.data.length} tasks, ` +
        `${peakMb.toFixed(0)} MB at its peak\n`,
    )
  } finally {
    await api.stop()
    await store.close()
  }
} finally {
  await stores.stop()
}

/** Inserts finished tasks whose results Postgres cannot compress. */
async function seed(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(
    `insert into tasks (id, name, queue, status, input, result, max_retries, timeout_ms, run_at, created_at, finished_at)
     select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'reverse', 'default', 'SUCCESS', '{"text":"x"}',
            (select to_json(string_agg(md5(n || ' ' || part), '')) from generate_series(1, 31250) as part), 3, 1000,
            now(), now(), now()
     from generate_series(1, $1::int) as n`,
    [TASKS],
  )
  await client.query('vacuum analyze tasks')
  await client.end()
  await pause(1_000)
}

interface Page {
  data: unknown[]
  next_cursor: string | null
}

async function listAll(port: number): Promise<{ pages: number; tasks: number }> {
  let tasks = 0
  let cursor: string | null = null
  for (let pages = 1; ; pages++) {
    const page: Page = await list(port, cursor)
    tasks += page.data.length
    cursor = page.next_cursor
    if (cursor === null) return { pages, tasks }
  }
}

async function list(port: number, cursor: string | null): Promise<Page> {
  const query = cursor === null ? '' : `&cursor=${cursor}`
  const response = await fetch(`http://127.0.0.1:${port}/v1/tasks?limit=${TASKS}${query}`)
  if (!response.ok) throw new Error(`status ${response.status}`)
  // The cast is safe: this is the response of the API for a page of tasks.
  return (await response.json()) as Page
}

async function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}
