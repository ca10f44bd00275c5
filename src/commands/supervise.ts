// Runs a command as a supervisor and its processes. Imports only what every supervisor needs; the rest when
// it is needed.
import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { programPath } from '../base/installation.ts'
import type { Config, Environment } from '../config.ts'
import { passOnCrashes } from '../processes/crash-notices.ts'
import { type ManagedProcess, manageProcess } from '../processes/managed-process.ts'
import { createProcessHealth } from '../processes/process-health.ts'
import { createProcessLog } from '../processes/process-log.ts'
import { createProcessMetrics, METRICS_OF_ALL } from '../processes/process-metrics.ts'
import { restartOnHangUp, stopOnSignal } from '../processes/stop-signals.ts'
import { createSupervisor, processName, type Role, type Supervisor } from '../processes/supervisor.ts'
import type { RecoveredTask } from '../worker/crash-recovery.ts'
import { type ProcessArguments, toArguments } from './process-arguments.ts'

export interface SupervisedCommand {
  /** `role` of the log lines of the supervisor. */
  name: string
  config: Config
  /** Environment of the processes. */
  environment: Environment
  roles: ('api' | 'worker')[]
  /** Whether the processes belong to `dev`. */
  dev?: boolean
  /** Called when all processes have ended. */
  onStopped?: () => Promise<void>
}

export interface Supervised {
  /** URL of the API; undefined without API processes. */
  url?: string
  /** Replaces all processes, one after the other, see `Supervisor.restart`. */
  restart(): Promise<boolean>
}

// How long an API process may take to stop in order: it drains connections (5 s), gives requests 5 s, and
// writes its statistics.
const API_STOP_MS = 20_000
// How long a worker may need beyond its grace period: claims and loops under way (5 s each), aborted handlers
// (2 s), killed processes (2 s) and the writes of what it releases. Then it is killed and its tasks are
// recovered. Docker and systemd kill the supervisor later (docker-compose.yml, README).
const WORKER_STOP_MS = 20_000
const MIB = 1024 * 1024

/**
 * Starts the processes and resolves when all are ready, or never if the first start of one fails: then this
 * process stops the others and exits with the code of the failed one.
 * @throws Error if HEALTH_PORT is in use
 */
export async function supervise(command: SupervisedCommand): Promise<Supervised> {
  const { name, config } = command
  // A terminal or a pipe that is closed must not end the processes.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const log = createProcessLog(config.LOG_LEVEL, name)
  let url: string | undefined
  const metrics = createProcessMetrics(() => supervisor.slots.flatMap((slot) => slot.processes()))
  const supervisor = createSupervisor({
    roles: rolesOf(command, { onUrl: (given) => (url = given), renderMetrics: metrics.render }),
    log,
    onEnd: metrics.keep,
    async recover(workerId, isCrash) {
      const tasks = await recoverInChild(command.environment, workerId, isCrash)
      const crashed = tasks.filter(({ status, error }) => status !== null && error !== undefined)
      void passOnCrashes(() => supervisor.slots.flatMap((slot) => slot.processes()), crashed)
      return tasks.map(({ taskId, name }) => ({ taskId, name }))
    },
  })
  const healthServer = await startHealth(config, supervisor, metrics.render)
  const stopAndExit = stopOnSignal(
    async () => {
      const isInOrder = await supervisor.stop()
      await healthServer?.stop()
      await command.onStopped?.()
      if (!isInOrder) throw new Error('a process died or was killed')
    },
    { endNow: () => void supervisor.kill().then(() => process.exit(1)) },
  )
  // An error of the supervisor itself would end all processes at once. They stop in order instead.
  process.on('uncaughtException', (error) => {
    log.error({ error: error.stack }, 'the supervisor has failed and stops')
    stopAndExit(1)
  })
  void supervisor.failed.then(stopAndExit)
  // Before the start, so that a SIGHUP during the start does not end this process. `dev` ends with its
  // terminal.
  if (!command.dev) restartOnHangUp(() => void supervisor.restart())
  if (!(await supervisor.start())) await new Promise(() => {})
  return { url, restart: supervisor.restart }
}

async function startHealth(config: Config, { slots }: Supervisor, render: () => Promise<string>) {
  if (config.HEALTH_PORT === undefined) return undefined
  const [{ startHealthServer }, { createEvents }] = await Promise.all([
    import('./health-server.ts'),
    import('../telemetry/events.ts'),
  ])
  const metrics = { contentType: METRICS_CONTENT_TYPE, render }
  return startHealthServer(config, { metrics, events: createEvents() }, createProcessHealth(slots))
}

// The text format of Prometheus.
const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface RoleHandlers {
  onUrl: (url: string) => void
  renderMetrics: () => Promise<string>
}

function rolesOf(command: SupervisedCommand, { onUrl, renderMetrics }: RoleHandlers): Role[] {
  const { config, environment, dev } = command
  const { API_PROCESSES: apis, WORKER_PROCESSES: workers, WORKER_MAX_MEMORY_MB: maxMemory } = config
  const hasSeveral = command.roles.length > 1
  const argumentsOf = (number: number, count: number, more: ProcessArguments = {}) =>
    toArguments({ number: count > 1 || hasSeveral ? number : undefined, dev, ...more })
  const all: Record<'api' | 'worker', Role> = {
    api: {
      name: 'api',
      count: apis,
      stopLimitMs: API_STOP_MS,
      fork: (number) =>
        manageProcess(() => forkApi(argumentsOf(number, apis), environment), {
          name: processName('api', number, apis),
          answers: { [METRICS_OF_ALL]: renderMetrics },
          onReady: (url) => typeof url === 'string' && onUrl(url),
        }),
    },
    worker: {
      name: 'worker',
      count: workers,
      stopLimitMs: config.SHUTDOWN_GRACE_SECONDS * 1_000 + WORKER_STOP_MS,
      maxMemoryBytes: maxMemory === undefined ? undefined : maxMemory * MIB,
      fork: (number) => forkWorker(number, argumentsOf, command),
    },
  }
  return command.roles.map((role) => all[role])
}

const MAIN = programPath('main')

/** Forks a process that shares the port of the API: this process accepts connections and passes them on. */
function forkApi(args: string[], environment: Environment): ChildProcess {
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ exec: MAIN, args: ['api-process', ...args], serialization: 'advanced' })
  const worker = cluster.fork(environment)
  // Without a listener, an error of the process would be thrown here. `manageProcess` handles it.
  worker.on('error', () => {})
  return worker.process
}

function forkWorker(
  number: number,
  argumentsOf: (number: number, count: number, more: ProcessArguments) => string[],
  { config, environment }: SupervisedCommand,
): ManagedProcess {
  const { WORKER_PROCESSES: count } = config
  const workerId = randomUUID()
  const args = ['worker-process', ...argumentsOf(number, count, { worker: workerId, parent: process.pid })]
  // The structured clone keeps numbers like NaN and Infinity, which metrics can contain.
  return manageProcess(() => fork(MAIN, args, { env: environment, serialization: 'advanced' }), {
    name: processName('worker', number, count),
    workerId,
  })
}

/** Runs the command `recover-tasks`. @throws Error with its standard error if it fails */
async function recoverInChild(
  environment: Environment,
  workerId: string,
  isCrash: boolean,
): Promise<RecoveredTask[]> {
  const args = ['recover-tasks', ...toArguments({ worker: workerId, crashed: isCrash })]
  const child = fork(MAIN, args, { env: environment, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  let tasks: RecoveredTask[] | undefined
  child.on('message', (message) => (tasks = message as RecoveredTask[]))
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
  // Node emits 'close' after the last message and the last output. An error of the start rejects.
  const [code] = await once(child, 'close')
  if (tasks === undefined) throw new Error(stderr.trim() || `the process for it exited with code ${code}`)
  return tasks
}
