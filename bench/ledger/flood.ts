// Starts Waggle on a database that already contains tasks, and submits tasks to it as fast as possible (a
// flood).
import pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { firstIdOf } from '../../src/base/uuidv7.ts'
import type { LoadReport } from '../load.ts'
import { runLoad } from '../measure.ts'
import { type RunningSystem, startSystem } from '../running-system.ts'
import type { Store } from '../stores.ts'
import { SYSTEMS, type System } from '../systems.ts'
import { untilDone } from '../until-done.ts'
import type { Context } from './plan.ts'

export interface FloodOrder {
  /** Maximum number of tasks. */
  tasks: number
  /** The submissions end after this time. Default: `LIMIT_MS`. */
  limitMs?: number
  /** Whether the report contains each submission; false by default. */
  isDetailed?: boolean
}

export interface Flood {
  /** Tasks per second from the first submission to the end of the last task. */
  tasksPerSecond: number
  /** Time of the end of the last task, in milliseconds since 1970. */
  doneAt: number
  report: LoadReport
}

const CONNECTIONS = 64
// Much longer than any flood with a limited number of tasks takes.
const LIMIT_MS = 180_000

/** Starts an API and a worker with these settings, and waits until the worker can run tasks. */
export async function startWaggle(
  store: Store,
  settings: Record<string, string>,
  signal: AbortSignal,
): Promise<RunningSystem> {
  const waggle = SYSTEMS.find(({ name }) => name === 'waggle') as System
  const running = await startSystem({ ...waggle, settings }, store)
  try {
    await withClient(store, (client) => untilWorker(client, null, signal))
    return running
  } catch (error) {
    await running.stop()
    throw error
  }
}

// A worker has a low priority (WORKER_NICE), so its start takes long on a busy machine.
const STARTED_MS = 120_000
const POLL_MS = 20

/** Waits until a worker with another id than `except` has started. @returns its id */
export async function untilWorker(
  client: pg.Client,
  except: string | null,
  signal: AbortSignal,
): Promise<string> {
  const deadline = Date.now() + STARTED_MS
  for (;;) {
    const { rows } = await client.query<{ id: string }>(
      'select id /* bench */ from workers where id is distinct from $1::uuid',
      [except],
    )
    if (rows[0]) return rows[0].id
    if (Date.now() > deadline) throw new Error(`No worker has started within ${STARTED_MS / 1_000} s`)
    await pause(POLL_MS, signal)
    signal.throwIfAborted()
  }
}

/** Calls `work` with a connection to the database of the store. */
export async function withClient<T>(
  { databaseUrl }: Store,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Runs a warm-up, then the flood with the number of tasks of the plan. @throws like `flood` */
export async function warmFlood(
  context: Context,
  { port }: { port: number },
  client: pg.Client,
): Promise<Flood> {
  const { warmUpTasks, floodTasks } = context.amounts
  await flood(port, client, { tasks: warmUpTasks }, context.signal)
  return flood(port, client, { tasks: floodTasks }, context.signal)
}

/**
 * Submits tasks over 64 connections, and waits until all accepted ones have ended.
 * @param onStarted called when the first task has been accepted
 * @throws Error if a submission was refused or a task has not ended as SUCCESS
 */
export async function flood(
  port: number,
  client: pg.Client,
  { tasks, limitMs = LIMIT_MS, isDetailed }: FloodOrder,
  signal: AbortSignal,
  onStarted: () => Promise<void> = async () => {},
): Promise<Flood> {
  const firstId = firstIdOf(Date.now())
  const order = { kind: 'flood' as const, port, connections: CONNECTIONS, tasks, limitMs, isDetailed }
  const [report] = await Promise.all([
    runLoad(order, signal),
    untilAccepted(client, firstId, signal).then(onStarted),
  ])
  const unfinished = await untilDone(() => countUnfinished(client, firstId, report.accepted), signal)
  const doneAt = Math.max(report.endedAt, Date.now())
  const problems = Object.entries(report.refused).map(([problem, times]) => `${times} times ${problem}`)
  if (unfinished > 0) problems.push(`${unfinished} tasks have not ended as SUCCESS`)
  if (problems.length > 0) throw new Error(`The flood has failed: ${problems.join(', ')}`)
  return { tasksPerSecond: (1_000 * report.accepted) / (doneAt - report.startedAt), doneAt, report }
}

const ACCEPTED_MS = 30_000

async function untilAccepted(client: pg.Client, firstId: string, signal: AbortSignal) {
  const deadline = Date.now() + ACCEPTED_MS
  for (;;) {
    const { rows } = await client.query('select exists(select from tasks where id >= $1::uuid) as has', [
      firstId,
    ])
    if (rows[0].has) return
    if (Date.now() > deadline)
      throw new Error(`No task of the flood was accepted within ${ACCEPTED_MS / 1_000} s`)
    await pause(POLL_MS, signal)
    signal.throwIfAborted()
  }
}

/**
 * Counts the accepted tasks of the flood that have not ended as SUCCESS. Reads no tasks with ids below
 * `firstId`.
 */
async function countUnfinished(client: pg.Client, firstId: string, accepted: number): Promise<number> {
  const { rows: open } = await client.query(
    'select count(*)::int as left from tasks where id >= $1::uuid and finished_at is null',
    [firstId],
  )
  if (open[0].left > 0) return open[0].left
  const { rows } = await client.query(
    `select count(*)::int as done from tasks where id >= $1::uuid and status = 'SUCCESS'`,
    [firstId],
  )
  // If `limitMs` ends the flood, tasks can be accepted whose responses the load generator no longer counts.
  // Then the difference is negative.
  return Math.max(0, accepted - rows[0].done)
}
