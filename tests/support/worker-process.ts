// Runs a worker with the test definitions as a process of its own, so that tests can kill it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { openConnections } from '../../src/connections.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { logEvents } from '../../src/telemetry/log.ts'
import { catchStrayErrors } from '../../src/worker/attempts/stray-errors.ts'
import { startWorker } from '../../src/worker/worker.ts'
import type { WorkerOptions } from '../../src/worker/worker-options.ts'
import { CHILD_ENVIRONMENT } from './child-environment.ts'
import { createIsolatedDefinitions, ISOLATED_SCRIPT } from './isolated-definitions.ts'
import { createLimitedDefinitions, type LimitedDefinition } from './limited-definitions.ts'
import { createSampleRegistry, createSampleServices } from './sample-project.ts'
import { createRunRecorder, createTestDefinitions } from './test-definitions.ts'

export interface WorkerProcess {
  pid: number
  workerId: string
  kill(): Promise<void>
  /** Sends SIGTERM and resolves with the exit code. */
  terminate(): Promise<number | null>
  /** Resolves with the exit code or the name of the signal that ended it. */
  ended: Promise<number | string>
  /** Returns the log lines so far. */
  logged(): LogLine[]
}

export interface LogLine {
  level: number
  msg: string
  [field: string]: unknown
}

export interface Settings {
  databaseUrl: string
  redisUrl: string
  options: WorkerOptions
  graceMs: number
  /** Limits of the limited definitions; by default the worker has no such definitions. */
  limited?: LimitedDefinition[]
}

export const OPTIONS = {
  queues: ['default'],
  concurrency: 20,
  version: 'test',
  missingAfterMs: 2_000,
  heartbeatMs: 500,
  reconcileMs: 300,
  lostAfterMs: 500,
}

/** Options of a worker with the isolated definitions and processes. */
export const WITH_ISOLATED = { isolated: { script: ISOLATED_SCRIPT, processes: 2 } }

/** Starts a worker process. Resolves when the worker has printed that it runs, or has ended. */
export async function spawnWorker(
  system: { database: { url: string }; redis: { url: string } },
  options: Partial<WorkerOptions> = {},
  graceMs = 10_000,
  nodeOptions: string[] = [],
  limited?: LimitedDefinition[],
): Promise<WorkerProcess> {
  const settings: Settings = {
    databaseUrl: system.database.url,
    redisUrl: system.redis.url,
    // As under a supervisor.
    options: { ...OPTIONS, parentPid: process.pid, ...options },
    graceMs,
    limited,
  }
  const script = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, [...nodeOptions, script, JSON.stringify(settings)], {
    env: { ...process.env, ...CHILD_ENVIRONMENT },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const runs = new Promise<void>((resolve) => {
    child.stdout.on('data', () => {
      if (/^worker \S+ runs$/m.test(output)) resolve()
    })
  })
  child.stderr.on('data', (text) => {
    if (!String(text).startsWith('{')) process.stderr.write(text)
  })
  // 'close' and not 'exit': after 'exit', output can still arrive.
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  await Promise.race([runs, ended])
  return {
    pid: child.pid as number,
    workerId: /worker (\S+) runs/.exec(output)?.[1] ?? '',
    ended,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async terminate() {
      child.kill('SIGTERM')
      await ended
      return child.exitCode
    },
    logged: () => output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : [])),
  }
}

/** Starts a worker with the test definitions in this process. Its tasks can end the process. */
export async function openTestWorker({
  databaseUrl,
  redisUrl,
  options,
  limited = [],
}: Omit<Settings, 'graceMs'>) {
  const events = createEvents()
  logEvents(events, 'info', { role: 'worker' })
  const connections = await openConnections({ databaseUrl, redisUrl }, events)
  const recorder = await createRunRecorder(databaseUrl)
  const registry = createSampleRegistry([
    ...createTestDefinitions(recorder),
    ...createLimitedDefinitions(limited, recorder),
    // The processes of these definitions are started ahead, which takes time.
    ...(options.isolated ? createIsolatedDefinitions() : []),
  ])
  const services = createSampleServices()
  const worker = startWorker(connections, registry, events, { services, ...options })
  catchStrayErrors(worker.handleStrayError)
  return { worker, connections }
}

async function run({ graceMs, ...settings }: Settings) {
  const { worker, connections } = await openTestWorker(settings)
  // Exit when stdin closes, so that the worker does not outlive the test process, even if that is killed.
  process.stdin.resume().once('close', () => process.exit(2))
  // As `worker` of main.ts does.
  const stopAndExit = async (code: number) => {
    await worker.stop(graceMs)
    await connections.close()
    process.exit(code)
  }
  worker.failed.then(() => stopAndExit(1))
  process.once('SIGTERM', () => stopAndExit(0))
  process.stdout.write(`worker ${worker.id} runs\n`)
}

const [, script, settings] = process.argv
if (script === fileURLToPath(import.meta.url) && settings) await run(JSON.parse(settings))
