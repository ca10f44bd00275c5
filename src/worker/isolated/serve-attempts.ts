// The main function of an isolated process: runs the attempts that its worker sends, one at a time, and sends
// back their progress, log lines and outcomes. The process ends when its worker ends.
import { AsyncLocalStorage } from 'node:async_hooks'
import { writeFileSync } from 'node:fs'
import type { TaskContext } from '../../definitions/define.ts'
import type { Registry } from '../../definitions/registry.ts'
import type { Outcome } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import { createAttemptContext } from '../attempts/attempt-context.ts'
import { createAttemptLog } from '../attempts/attempt-log.ts'
import { outcomeOfError, outcomeOfResult, strayErrorOf } from '../attempts/attempt-outcome.ts'
import { type AttemptKey, createRunningTasks, type RunningTask } from '../attempts/running-tasks.ts'
import { catchStrayErrors } from '../attempts/stray-errors.ts'
import type { FromProcess, ToProcess } from './protocol.ts'

// Minimum time between two messages about the progress of an attempt. A heartbeat writes it once a second.
const PROGRESS_MS = 100

/** Runs attempts of these definitions until the worker, the parent process, ends or kills this process. */
export function serveAttempts(registry: Registry): void {
  preferForOutOfMemoryKills()
  const scope = new AsyncLocalStorage<AttemptKey>()
  const running = createRunningTasks({ scope })
  process.on('disconnect', killGroup)
  process.on('message', (message: ToProcess) => {
    if (message.kind === 'run') void run(message.task)
    else for (const attempt of running.all()) attempt.abort(message.reason)
  })
  catchStrayErrors((error) => {
    const key = scope.getStore()
    scope.exit(() => reportStrayError(key, error))
  })
  send({ kind: 'ready', names: registry.all.map(({ name }) => name) })

  async function run(task: ClaimedTask) {
    send({ kind: 'begun' })
    const attempt = running.begin(task)
    if (!attempt) return
    const outcome = await perform(attempt)
    attempt.isOver = true
    running.end(attempt)
    send({ kind: 'ended', outcome })
  }

  async function perform(attempt: RunningTask): Promise<Outcome> {
    const { task, key } = attempt
    const definition = registry.find(task.name)
    if (!definition) return outcomeOfError(new Error(notLoaded(task.name)), attempt)
    try {
      const call = () => definition.run(task.input, contextOf(attempt))
      return outcomeOfResult(await scope.run(key, call), attempt)
    } catch (error) {
      return outcomeOfError(error, attempt)
    }
  }

  function contextOf(attempt: RunningTask): TaskContext {
    const log = createAttemptLog()
    attempt.log = log
    return createAttemptContext(
      attempt,
      (message, fields) => {
        if (attempt.isOver) return
        log.add(message, fields)
        const lines = log.drain()
        if (lines.length > 0) send({ kind: 'log', lines })
      },
      createProgressSender(attempt),
    )
  }

  function reportStrayError(key: AttemptKey | undefined, error: unknown) {
    const attempt = key ? running.find(key) : undefined
    attempt?.abortBecauseOf(error)
    send({
      kind: 'stray error',
      ...strayErrorOf(error),
      ...(key && { key }),
      isRunning: attempt !== undefined && !attempt.isOver,
    })
  }
}

/** @returns the error of an attempt whose definition the isolated processes do not have */
export function notLoaded(name: string): string {
  return (
    `Task "${name}": its definition requires isolated processes, and they have no such definition. They load the ` +
    'definitions of the project (src/tasks/task-definitions.ts), so the definition must be listed there'
  )
}

/**
 * Sends the progress of an attempt to the worker. A handler that computes without a pause is sent too, because
 * a message is written to the channel immediately.
 */
function createProgressSender(attempt: RunningTask): () => void {
  let sentMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  return () => {
    const waitMs = sentMs + PROGRESS_MS - performance.now()
    if (waitMs <= 0) sendNow()
    else timer ??= setTimeout(sendNow, waitMs)
  }

  function sendNow() {
    clearTimeout(timer)
    timer = undefined
    sentMs = performance.now()
    if (!attempt.isOver && attempt.progress) send({ kind: 'progress', progress: attempt.progress })
  }
}

function send(message: FromProcess) {
  // After a disconnect the process is about to end.
  if (process.connected) process.send?.(message, () => {})
}

/** Ends this process and the processes that task code has started. It is the leader of their group. */
function killGroup() {
  process.kill(-process.pid, 'SIGKILL')
}

/** If memory runs out, Linux kills this process first, and the worker goes on. */
function preferForOutOfMemoryKills() {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // The system is not Linux. It then chooses by itself.
  }
}
