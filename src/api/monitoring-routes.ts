// What there is to watch: workers and statistics.
import { Hono } from 'hono'
import type { z } from 'zod'
import type { WorkerRow } from '../store/schema.ts'
import type { Stats } from '../store/task-reader.ts'
import type { ApiDependencies } from './dependencies.ts'
import type { statistics, worker } from './monitoring-schemas.ts'
import type { ApiEnv } from './request-context.ts'
import { query, statsQuery } from './task-requests.ts'

// One look at the tables serves everybody who asks within this time.
const SHARED_MS = 1_000

export function createMonitoringRoutes({ taskReader, workerStore, workerSilentMs, admit }: ApiDependencies) {
  const statsOf = shared((windowSeconds: number) =>
    taskReader.stats(new Date(Date.now() - windowSeconds * 1_000)),
  )
  const listWorkers = shared(() => workerStore.list())

  return new Hono<ApiEnv>()
    .get('/workers', admit('read'), async (c) => {
      const workers = await listWorkers(0)
      return c.json({ data: workers.map((row) => viewOfWorker(row, workerSilentMs)) })
    })
    .get('/stats', admit('read'), query(statsQuery), async (c) => {
      const { window } = c.req.valid('query')
      return c.json(viewOfStats(await statsOf(window), window))
    })
}

function viewOfWorker(row: WorkerRow, silentMs: number): z.infer<typeof worker> {
  return {
    id: row.id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    queues: row.queues,
    concurrency: row.concurrency,
    running: row.running,
    processed: row.processed,
    failed: row.failed,
    started_at: row.startedAt.toISOString(),
    last_beat_at: row.lastBeatAt.toISOString(),
    is_alive: Date.now() - row.lastBeatAt.getTime() < silentMs,
  }
}

function viewOfStats(stats: Stats, windowSeconds: number): z.infer<typeof statistics> {
  return {
    window_seconds: windowSeconds,
    by_status: {
      PENDING: 0,
      STARTED: 0,
      RETRY: 0,
      SUCCESS: 0,
      FAILURE: 0,
      CANCELLED: 0,
      ...stats.byStatus,
    },
    waiting: stats.waiting,
    running: stats.running,
    oldest_waiting_seconds: stats.oldestWaitingMs === null ? null : stats.oldestWaitingMs / 1_000,
    wait_ms: stats.waitMs,
    run_ms: stats.runMs,
  }
}

/** Calls `load` at most once per key in `SHARED_MS`; who asks meanwhile gets the same answer. */
function shared<T>(load: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const answers = new Map<number, { answer: Promise<T>; untilMs: number }>()
  return (key) => {
    const known = answers.get(key)
    if (known && known.untilMs > Date.now()) return known.answer
    if (answers.size > 100) answers.clear()
    const answer = load(key)
    answers.set(key, { answer, untilMs: Date.now() + SHARED_MS })
    answer.catch(() => answers.delete(key))
    return answer
  }
}
