// `node bench/hardening/large-list.ts` lists 200 tasks with results of 1 MB (`GET /v1/tasks?limit=200`, page
// by page) and measures the memory of the API: of the first page in a new process, and of all pages in one
// that has served other requests, because V8 enlarges its young generation under any load. Prints one line.
import { readFile } from 'node:fs/promises'
import { pause } from '../../src/base/loop.ts'
import { startWaggleApi } from '../running-system.ts'
import { startStores } from '../stores.ts'
import { insertFinishedTasks } from './finished-tasks.ts'

const TASKS = 200
const RESULT_BYTES = 1_000_000
const OTHERS = 40_000
// Above the ids of the large tasks (`insertFinishedTasks`).
const FIRST_CURSOR = '01900000-0000-7000-9000-000000000000'

const stores = await startStores()
try {
  const store = await stores.open('large_list')
  const api = await startWaggleApi(store)
  try {
    await insertFinishedTasks(store.databaseUrl, TASKS, RESULT_BYTES)
    await pause(1_000)
    const restMb = await memoryMb(api.pid, 'VmRSS')
    const first = await list(api.port, FIRST_CURSOR)
    // The peak since the start of the process: it used less memory before the list.
    const firstMb = await memoryMb(api.pid, 'VmHWM')
    await submitOthers(api.port)
    const usedMb = await memoryMb(api.pid, 'VmRSS')
    const startMs = performance.now()
    let peakMb = 0
    const { pages, tasks } = await listAll(api.port, async () => {
      peakMb = Math.max(peakMb, await memoryMb(api.pid, 'VmRSS'))
    })
    const seconds = (performance.now() - startMs) / 1_000
    process.stdout.write(
      `${TASKS} tasks with results of 1 MB: API ${restMb.toFixed(0)} MB at rest, ${firstMb.toFixed(0)} MB after the first ` +
        `page of ${first.data.length} tasks; ${usedMb.toFixed(0)} MB after ${OTHERS} submissions, ${peakMb.toFixed(0)} MB at ` +
        `the peak of ${pages} pages with ${tasks} tasks, ${seconds.toFixed(1)} s\n`,
    )
  } finally {
    await api.stop()
    await store.close()
  }
} finally {
  await stores.stop()
}

interface Page {
  data: unknown[]
  next_cursor: string | null
}

/** Lists all large tasks, page by page. Skips the small ones, which were submitted later. */
async function listAll(port: number, onPage: () => Promise<void>): Promise<{ pages: number; tasks: number }> {
  let tasks = 0
  let cursor = FIRST_CURSOR
  for (let pages = 1; ; pages++) {
    const page: Page = await list(port, cursor)
    await onPage()
    tasks += page.data.length
    if (page.next_cursor === null) return { pages, tasks }
    cursor = page.next_cursor
  }
}

/** Submits other tasks, in batches. */
async function submitOthers(port: number) {
  const tasks = Array.from({ length: 200 }, () => ({ name: 'reverse', input: { text: 'ab' } }))
  for (let count = 0; count < OTHERS; count += tasks.length) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/tasks/batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ tasks }),
    })
    if (response.status !== 202) throw new Error(`status ${response.status}`)
    await response.arrayBuffer()
  }
  await pause(2_000)
}

async function list(port: number, cursor: string): Promise<Page> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/tasks?limit=${TASKS}&cursor=${cursor}`)
  if (!response.ok) throw new Error(`status ${response.status}`)
  // The cast is safe: this is the response of the API for a page of tasks.
  return (await response.json()) as Page
}

async function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}
