// Measures how soon the tasks of a killed worker run again while many other tasks wait, and how long the
// slowest statement takes meanwhile. Needs the extension pg_stat_statements, which is part of most PostgreSQL
// packages.
import type pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { processTree } from '../process-tree.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import { type Store, startStores } from '../stores.ts'
import { tableOf } from '../table.ts'
import { untilWorker, withClient } from './flood.ts'
import type { Context, Section } from './plan.ts'
import { createLedger, seedWaiting, type WaitingSeed } from './seed.ts'

const MISSING_AFTER_S = 15
// Upper bound for the time until all tasks run again: abandoned tasks are recovered every 4 s, and then have
// to be enqueued and claimed.
const LIMIT_S = MISSING_AFTER_S + 10
// Upper bound for the slowest statement.
const STATEMENT_LIMIT_MS = 100
// `LOG_LEVEL` is `error`, because a worker logs a warning for each lost attempt.
const SETTINGS = { WORKER_MISSING_AFTER_SECONDS: String(MISSING_AFTER_S), LOG_LEVEL: 'error' }
const DAY_MS = 86_400_000

const VARIANTS: { title: string; seed: Omit<WaitingSeed, 'tasks'> }[] = [
  { title: 'delayed by a day', seed: { queue: 'default', delayMs: DAY_MS } },
  { title: 'due, in a queue without a worker', seed: { queue: 'not-served', delayMs: 0 } },
]

interface Statement {
  text: string
  maxMs: number
  calls: number
}

interface Recovery {
  title: string
  /** Time from the kill until all tasks ran again. */
  seconds: number
  slowest: Statement[]
}

export async function measureRecovery(context: Context): Promise<Section> {
  const stores = await startStores({ shared_preload_libraries: 'pg_stat_statements' })
  try {
    const recoveries: Recovery[] = []
    for (const { title, seed } of VARIANTS) {
      context.signal.throwIfAborted()
      context.log(`Waiting tasks: ${title}`)
      const store = await stores.open('recovery')
      const tasks = context.amounts.recovery.waitingTasks
      const recovery = measureVariant(context, store, { ...seed, tasks }).finally(() => store.close())
      recoveries.push({ title, ...(await recovery) })
    }
    return sectionOf(context, recoveries)
  } finally {
    await stores.stop()
  }
}

function sectionOf({ amounts }: Context, recoveries: Recovery[]): Section {
  const { waitingTasks, runningTasks } = amounts.recovery
  const rows = recoveries.flatMap(({ title, slowest }) => [
    [`waiting tasks ${title}`, '', ''],
    ...slowest.map(({ text, maxMs, calls }) => [`\`${text}\``, maxMs.toFixed(1), String(calls)]),
  ])
  return {
    title: `A worker with ${runningTasks} tasks is killed while ${waitingTasks} tasks wait`,
    lines: [
      `kill -9 for its supervisor and its process; WORKER_MISSING_AFTER_SECONDS=${MISSING_AFTER_S}; a second worker takes over. ` +
        'The five slowest statements since the kill:',
      '',
      ...tableOf([['statement', 'slowest ms', 'calls'], ...rows]),
    ],
    bounds: recoveries.flatMap(({ title, seconds, slowest }) => {
      const maxMs = slowest[0]?.maxMs ?? Number.NaN
      return [
        {
          text: `waiting tasks ${title}: all ran again after ${seconds.toFixed(1)} s (within ${LIMIT_S})`,
          isMet: seconds <= LIMIT_S,
        },
        {
          text: `waiting tasks ${title}: the slowest statement took ${maxMs.toFixed(1)} ms (at most ${STATEMENT_LIMIT_MS})`,
          isMet: maxMs <= STATEMENT_LIMIT_MS,
        },
      ]
    }),
  }
}

async function measureVariant(
  context: Context,
  store: Store,
  seed: WaitingSeed,
): Promise<Omit<Recovery, 'title'>> {
  await (await createLedger(store, 1)).close()
  await seedWaiting(store, seed, context.log)
  await using processes = new AsyncDisposableStack()
  const api = await startWaggleApi(store)
  processes.defer(() => api.stop())
  const second = await startWaggleWorker(store, SETTINGS)
  processes.defer(() => second.stop())
  // `await`, because the processes are stopped when this function returns.
  return await withClient(store, async (client) => {
    await client.query('create extension pg_stat_statements')
    const secondId = await untilWorker(client, null, context.signal)
    await callApi(api.port, `/v1/workers/${secondId}/drain`)
    // A worker recovers tasks only after its heartbeats have succeeded for `MISSING_AFTER_S`. Without this
    // pause the second worker would recover them later than a worker that has run for long. The drain takes
    // effect with the next heartbeat, within a second.
    await pause(MISSING_AFTER_S * 1_000, context.signal)
    const first = await startWaggleWorker(store, SETTINGS)
    processes.defer(() => first.stop())
    const firstId = await untilWorker(client, secondId, context.signal)
    const ids = await submitLongTasks(api.port, context.amounts.recovery.runningTasks)
    await untilCount(client, ids, `status = 'STARTED' and worker_id = '${firstId}'`, 30_000, context.signal)
    await client.query('select pg_stat_statements_reset()')
    // All tasks run in the first worker. From now on the second one may claim tasks.
    await callApi(api.port, `/v1/workers/${secondId}/resume`)
    const pids = await processTree(first.pid)
    const killedAt = Date.now()
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await untilCount(client, ids, 'attempt >= 2', 2 * LIMIT_S * 1_000, context.signal)
    const seconds = (Date.now() - killedAt) / 1_000
    return { seconds, slowest: await slowestStatements(client) }
  })
}

const POLL_MS = 100

/** Waits until all of these tasks fulfil a condition. */
async function untilCount(
  client: pg.Client,
  ids: string[],
  condition: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const { rows } = await client.query(
      `select count(*)::int /* bench */ as count from tasks where id = any($1::uuid[]) and ${condition}`,
      [ids],
    )
    if (rows[0].count === ids.length) return
    if (Date.now() > deadline)
      throw new Error(
        `After ${limitMs / 1_000} s only ${rows[0].count} of ${ids.length} tasks had ${condition}`,
      )
    await pause(POLL_MS, signal)
    signal.throwIfAborted()
  }
}

/** Submits tasks that take about five seconds each. @returns their ids */
async function submitLongTasks(port: number, count: number): Promise<string[]> {
  const tasks = Array.from({ length: count }, () => ({ name: 'divide', input: { x: 1, y: 2 } }))
  const { items } = (await callApi(port, '/v1/tasks/batch', { tasks })) as { items: { id: string }[] }
  return items.map(({ id }) => id)
}

async function callApi(port: number, path: string, body: unknown = {}): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok)
    throw new Error(`POST ${path} responded with ${response.status}: ${await response.text()}`)
  return response.json()
}

// Maximum length of a statement in the report.
const TEXT_LENGTH = 100

async function slowestStatements(client: pg.Client): Promise<Statement[]> {
  const { rows } = await client.query<Statement>(`
    select query as text, max_exec_time as "maxMs", calls::int as calls from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query not like '%/* bench */%' and query not like '%pg_stat_statements%'
    order by max_exec_time desc limit 5`)
  return rows.map((row) => ({
    ...row,
    text: row.text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim().slice(0, TEXT_LENGTH),
  }))
}
