// Runs one system: its API and its worker as two processes, with a way to count its unfinished tasks.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { pause } from '../src/base/loop.ts'
import { freePort, startChildServer } from '../src/embedded/child-server.ts'
import { processTree } from './process-tree.ts'
import { pythonIn } from './python-environment.ts'
import type { Store } from './stores.ts'
import { CONCURRENCY, SYSTEMS, type System } from './systems.ts'

export interface RunningSystem {
  port: number
  /** Counts the tasks that have not ended as SUCCESS, out of `accepted` tasks since the start. */
  countUnfinished(accepted: number): Promise<number>
  /** The peak resident memory of each process so far, in MB; NaN where /proc is not available. */
  readPeakMemory(): Promise<{ api: number; worker: number; redis: number }>
  stop(): Promise<void>
}

export async function startSystem(system: System, store: Store): Promise<RunningSystem> {
  const cleanup = new AsyncDisposableStack()
  const port = await freePort()
  const command = environmentCommand(store, port, system)
  try {
    for (const program of system.prepare) await run([...command, ...program])
    const counter = system.taskStorage === 'rows' ? await countRows(store) : countJobs(port)
    cleanup.defer(() => counter.close())
    const api = await startChildServer([...command, ...system.api], {
      onOutput: showOutput(`${system.name} api`),
    })
    cleanup.defer(() => api.stop())
    await untilHealthy(system, port)
    const worker = await startChildServer([...command, ...system.worker], {
      onOutput: showOutput(`${system.name} worker`),
    })
    cleanup.defer(() => worker.stop())
    return {
      port,
      countUnfinished: counter.countUnfinished,
      async readPeakMemory() {
        const pids = [api.pid, worker.pid, store.redisPid]
        const [apiMb = 0, workerMb = 0, redisMb = 0] = await Promise.all(pids.map(peakMemoryMb))
        return { api: apiMb, worker: workerMb, redis: redisMb }
      },
      stop: () => cleanup.disposeAsync(),
    }
  } catch (error) {
    await cleanup.disposeAsync()
    throw error
  }
}

/** Migrates the database and starts only the API of Waggle, without a worker. */
export async function startWaggleApi(
  store: Store,
  settings: Record<string, string> = {},
): Promise<WaggleProcess & { port: number }> {
  const waggle = SYSTEMS.find(({ name }) => name === 'waggle') as System
  const port = await freePort()
  const command = environmentCommand(store, port, { settings })
  for (const program of waggle.prepare) await run([...command, ...program])
  const api = await startChildServer([...command, ...waggle.api], { onOutput: showOutput('waggle api') })
  await untilHealthy(waggle, port)
  return { port, pid: api.pid, stop: () => api.stop() }
}

/** Starts only a worker of Waggle. The database has been migrated. */
export async function startWaggleWorker(
  store: Store,
  settings: Record<string, string> = {},
): Promise<WaggleProcess> {
  const waggle = SYSTEMS.find(({ name }) => name === 'waggle') as System
  const command = environmentCommand(store, 0, { settings })
  const worker = await startChildServer([...command, ...waggle.worker], {
    onOutput: showOutput('waggle worker'),
  })
  return { pid: worker.pid, stop: () => worker.stop() }
}

export interface WaggleProcess {
  pid: number
  stop(): Promise<void>
}

/**
 * `env -i` starts with an empty environment: a variable of the machine must not reach only one of the
 * systems.
 */
function environmentCommand(
  { databaseUrl, redisUrl }: Store,
  port: number,
  { settings: extra = {}, pythonFolder }: Pick<System, 'settings' | 'pythonFolder'>,
): string[] {
  const settings = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: port,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    LOG_LEVEL: 'warn',
    WORKER_CONCURRENCY: CONCURRENCY,
    ...extra,
  }
  return [
    'env',
    '-i',
    ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ...(pythonFolder === undefined ? NODE : [pythonIn(pythonFolder)]),
  ]
}

// The flags of `npm run api` and `npm run worker`, for all systems in Node.
const NODE = [process.execPath, '--max-semi-space-size=64']

async function run([program = '', ...args]: string[]) {
  await promisify(execFile)(program, args, { timeout: 60_000 })
}

interface Counter {
  countUnfinished(accepted: number): Promise<number>
  close(): Promise<void>
}

async function countRows({ databaseUrl }: Store): Promise<Counter> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  return {
    async countUnfinished(accepted) {
      // The cheaper query first: it runs while the system is still under load.
      const { rows: open } = await client.query(
        'select count(*)::int as left from tasks where finished_at is null',
      )
      if (open[0].left > 0) return open[0].left
      const { rows } = await client.query(`select count(*)::int as done from tasks where status = 'SUCCESS'`)
      return accepted - rows[0].done
    },
    close: () => client.end(),
  }
}

function countJobs(port: number): Counter {
  return {
    async countUnfinished(accepted) {
      // An API that can count only finished tasks subtracts them from the accepted ones.
      const response = await fetch(`http://127.0.0.1:${port}/unfinished?accepted=${accepted}`)
      const { count } = (await response.json()) as { count: number } // the APIs in peers/ send this type
      return count
    },
    async close() {},
  }
}

/**
 * Shows the output of a system, which logs at level `warn`. Drops the lines that child-server.ts, the shell
 * and Celery at its stop print.
 */
function showOutput(name: string) {
  return (text: string) => {
    const lines = text
      .split('\n')
      .filter((line) => line && !/^(pid \d+|Terminated|worker: Warm shutdown.*)$/.test(line))
    for (const line of lines) process.stderr.write(`[${name}] ${line}\n`)
  }
}

async function untilHealthy(system: System, port: number) {
  const deadline = Date.now() + 30_000
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (response?.ok) return
    if (Date.now() > deadline) throw new Error(`The API of ${system.name} was not healthy within 30 seconds`)
    await pause(50)
  }
}

/**
 * Returns the peak memory of a process and of the processes that it has started, such as those of a
 * supervisor.
 */
async function peakMemoryMb(pid: number): Promise<number> {
  const peaks = (await processTree(pid)).map(async (each) => {
    const status = await readFile(`/proc/${each}/status`, 'utf8').catch(() => '')
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
  })
  return (await Promise.all(peaks)).reduce((sum, mb) => sum + mb, 0)
}
