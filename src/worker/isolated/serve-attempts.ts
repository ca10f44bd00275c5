// The main function of an isolated process: runs the attempts that its worker sends, one at a time, and sends
// back their progress, log lines and outcomes. The process ends when its worker ends.
import { AsyncLocalStorage } from 'node:async_hooks'
import { writeFileSync, writeSync } from 'node:fs'
import { getPriority } from 'node:os'
import { messageOf } from '../../base/errors.ts'
import type { TaskContext } from '../../definitions/define.ts'
import type { Registry } from '../../definitions/registry.ts'
import type { Services } from '../../definitions/services.ts'
import { checkStoredInput } from '../../definitions/stored-input.ts'
import type { Outcome } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import { createAttemptContext } from '../attempts/attempt-context.ts'
import { createAttemptLog } from '../attempts/attempt-log.ts'
import { outcomeOfError, outcomeOfResult, stackOf, strayErrorOf } from '../attempts/attempt-outcome.ts'
import { type AttemptKey, createRunningTasks, type RunningTask } from '../attempts/running-tasks.ts'
import { catchStrayErrors } from '../attempts/stray-errors.ts'
import { lowerPriority, lowerSessionPriority } from '../worker-priority.ts'
import { type FromProcess, SERVICES_FAILED, type ToProcess } from './protocol.ts'

// Minimum time between two messages about the progress of an attempt. A heartbeat writes it once a second.
const PROGRESS_MS = 100

/** What an isolated process runs: the definitions, and the services that their contexts get. */
export interface IsolatedProject {
  registry: Registry
  services: Services
}

/**
 * Runs attempts until the worker, the parent process, ends or kills this process.
 * @param load loads the project. If it rejects, this process writes the error to its standard error and exits
 *    with 1
 */
export function serveAttempts(load: () => Promise<IsolatedProject>): void {
  ignoreStopSignals()
  lowerOwnPriority()
  preferForOutOfMemoryKills()
  const send = takeChannel()
  const scope = new AsyncLocalStorage<AttemptKey>()
  const running = createRunningTasks({ scope })
  process.on('disconnect', killGroup)
  process.on('message', (message: ToProcess) => {
    if (message.kind === 'run') void run(message.task, message.run)
    else for (const attempt of running.all()) attempt.abort(message.reason)
  })
  catchStrayErrors((error) => {
    const key = scope.getStore()
    scope.exit(() => {
      if (key) running.find(key)?.abortBecauseOf(error)
      send({ kind: 'stray error', ...strayErrorOf(error), ...(key && { key }) })
    })
  })
  const loading = load().catch(exitBecauseOf)
  void loading.then(({ registry }) => send({ kind: 'ready', names: registry.all.map(({ name }) => name) }))

  async function run(task: ClaimedTask, run: number) {
    send({ kind: 'begun', run })
    const attempt = running.begin(task)
    if (!attempt) return
    const outcome = await perform(attempt, run)
    attempt.isOver = true
    running.end(attempt)
    send({ kind: 'ended', run, outcome, stack: attempt.stack })
  }

  async function perform(attempt: RunningTask, run: number): Promise<Outcome> {
    const { registry, services } = await loading
    const { task, key } = attempt
    const definition = registry.find(task.name)
    if (!definition) return outcomeOfError(new Error(notLoaded(task.name)), attempt)
    try {
      const call = () =>
        definition.run(checkStoredInput(definition, task.input), contextOf(attempt, run, services))
      return outcomeOfResult(await scope.run(key, call), attempt)
    } catch (error) {
      attempt.stack = stackOf(error)
      return outcomeOfError(error, attempt)
    }
  }

  function contextOf(attempt: RunningTask, run: number, services: Services): TaskContext {
    const log = createAttemptLog()
    attempt.log = log
    const onProgress = limited(PROGRESS_MS, () => {
      const { progress, isOver } = attempt
      if (progress && !isOver) send({ kind: 'progress', run, progress })
    })
    return createAttemptContext(
      attempt,
      services,
      (message, fields) => {
        if (attempt.isOver) return
        log.add(message, fields)
        const lines = log.drain()
        if (lines.length > 0) send({ kind: 'log', run, lines })
      },
      onProgress,
    )
  }
}

/** Thrown by `load` if the services of the project could not be opened. The worker starts a process again. */
export class ServicesError extends Error {}

function exitBecauseOf(error: unknown): never {
  // Written synchronously, so that it is written before the exit.
  writeSync(process.stderr.fd, `${messageOf(error)}\n`)
  process.exit(error instanceof ServicesError ? SERVICES_FAILED : 1)
}

/** @returns the error of an attempt whose definition the isolated processes do not have */
export function notLoaded(name: string): string {
  return (
    `Task "${name}": its definition requires isolated processes, and they have no such definition. They load the ` +
    'definitions of the project (`tasks` in waggle.config.ts), so the definition must be listed there'
  )
}

/**
 * Returns a function that calls `act` at most once per `intervalMs`: immediately if the last call is long
 * enough ago, otherwise by a timer. The immediate calls also happen in code that computes without a pause.
 */
function limited(intervalMs: number, act: () => void): () => void {
  let actedMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  return () => {
    const waitMs = actedMs + intervalMs - performance.now()
    if (waitMs <= 0) actNow()
    else timer ??= setTimeout(actNow, waitMs)
  }

  function actNow() {
    clearTimeout(timer)
    timer = undefined
    actedMs = performance.now()
    act()
  }
}

/**
 * Takes `process.send` away from task code, so that only this file sends messages to the worker.
 * @returns a function that sends a message. A message is written to the channel immediately, also by code
 * that computes without a pause
 */
function takeChannel(): (message: FromProcess) => void {
  const send = process.send?.bind(process)
  if (!send)
    throw new Error('An isolated process has no IPC channel to a worker: only a worker can start this module')
  process.send = undefined
  return (message) => {
    // After a disconnect the process is about to end.
    if (process.connected) send(message, () => {})
  }
}

/** Ends this process and the processes that task code has started. It is the leader of their group. */
function killGroup() {
  process.kill(-process.pid, 'SIGKILL')
}

/**
 * The worker ends this process in order. A terminal or a service manager can send a signal to all processes
 * at the same time, and the attempt of this process has the grace period of the worker.
 */
function ignoreStopSignals() {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
}

// Added to the nice value of the worker, so that tasks that compute do not delay its short tasks.
const NICE = 5

function lowerOwnPriority() {
  const nice = Math.min(19, getPriority() + NICE)
  lowerPriority(nice)
  // The process has a session of its own.
  lowerSessionPriority(nice)
}

/** If memory runs out, Linux kills this process first, and the worker goes on. */
function preferForOutOfMemoryKills() {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Ignored: the system is not Linux and has no such setting.
  }
}
