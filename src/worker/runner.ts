// Runs one attempt of a task: calls the handler, decides the new status of the task from the outcome, and
// writes it to Postgres.
import { isAppError, messageOf } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import {
  PermanentError,
  RetryLaterError,
  type TaskContext,
  type TaskDefinition,
} from '../definitions/define.ts'
import type { Registry } from '../definitions/registry.ts'
import {
  type Decision,
  decide,
  type Outcome,
  type TaskError,
  type TaskStatus,
} from '../definitions/task-status.ts'
import type { ClaimedTask } from '../store/claim.ts'
import type { Finish } from '../store/finish.ts'
import type { AnnouncedTask, Events } from '../telemetry/events.ts'
import type { RunningTask, RunningTasks } from './running-tasks.ts'
import type { TaskLogs } from './task-logs.ts'

export interface RunnerDependencies {
  workerId: string
  registry: Registry
  running: RunningTasks
  logs: TaskLogs
  /**
   * Writes the end of an attempt to Postgres. Resolves with the new status of the task, or with null if the
   * write was refused, because the attempt is no longer the current one of its task.
   */
  finish: (finish: Finish) => Promise<TaskStatus | null>
  /**
   * Called when the handler has returned, before the end of the attempt is written. It frees the slot, so
   * that another task can start during that write.
   */
  onHandlerDone: () => void
  /** Called when the end of an attempt is in Postgres. Not called if `finish` has resolved with null. */
  onFinished: (end: AttemptEnd) => void
  events: Events
}

export interface AttemptEnd {
  status: TaskStatus
  /** Delay before the next attempt in milliseconds; undefined if no next attempt was planned. */
  delayMs?: number
  hasCallback: boolean
}

/**
 * Runs an attempt. Resolves when the handler has returned and the end of the attempt is written. Never
 * rejects.
 */
export type Runner = (task: ClaimedTask) => Promise<void>

export function createRunner(dependencies: RunnerDependencies): Runner {
  const { workerId, registry, running, logs, finish, onHandlerDone, onFinished, events } = dependencies

  return async (task) => {
    const attempt = running.begin(task)
    if (!attempt) return onHandlerDone()
    announceStart(attempt)
    const definition = registry.find(task.name)
    const startedMs = performance.now()
    const outcome = await perform(definition, attempt)
    const runMs = performance.now() - startedMs
    onHandlerDone()
    const { failures, maxRetries } = task
    const backoff = definition?.backoff ?? UNKNOWN_BACKOFF
    const policy = { failures, maxRetries, backoff, isCancelRequested: false }
    const decision = decide(policy, outcome, Math.random())
    const status = await finishUntilWritten(attempt, decision)
    logs.forget(attempt)
    running.end(attempt)
    if (status !== null) onFinished({ status, delayMs: decision.delayMs, hasCallback: task.hasCallback })
    announceEnd(attempt, { status, decision, runMs })
  }

  async function perform(definition: TaskDefinition | undefined, attempt: RunningTask): Promise<Outcome> {
    const { task } = attempt
    const timer = setTimeout(() => attempt.abort('timeout'), task.timeoutMs)
    try {
      // If the definition is unknown, the attempt fails and can be retried, because a worker with another
      // version of the code may have the definition.
      if (!definition) throw new Error(`This worker has no task "${task.name}"`)
      const result = await definition.run(task.input, contextOf(attempt))
      return { kind: 'succeeded', result: result ?? null }
    } catch (error) {
      return outcomeOf(error, attempt)
    } finally {
      clearTimeout(timer)
    }
  }

  function contextOf(attempt: RunningTask): TaskContext {
    const progress: TaskContext['progress'] = (fraction, message) => {
      attempt.progress = {
        fraction: Math.min(1, Math.max(0, Number(fraction) || 0)),
        message: progressMessageOf(message),
      }
    }
    const log: TaskContext['log'] = (message, fields) => {
      const replacement = logs.add(attempt, message, fields)
      events.emit('task.log', { ...announced(attempt.task), message, fields: replacement ?? fields })
    }
    return new AttemptContext(attempt, { progress, log })
  }

  /**
   * Writes the end of an attempt. Repeats the write until Postgres responds, so that the result is not lost.
   * If the result cannot be stored, writes a failure instead.
   */
  async function finishUntilWritten(attempt: RunningTask, decision: Decision): Promise<TaskStatus | null> {
    const { task } = attempt
    for (;;) {
      // Writes the log lines before the end of the attempt, so that a finished attempt has a complete log.
      if (attempt.log) await logs.finish(attempt)
      try {
        return await finish({ id: task.id, attempt: task.attempt, workerId, decision })
      } catch (error) {
        if (!isUnstorable(error)) {
          events.emit('error.transient', { where: 'writing a result', error })
          await pause(FINISH_RETRY_MS)
        } else if (decision.status === 'SUCCESS' || decision.error?.name !== UNSTORABLE) {
          decision = { status: 'FAILURE', failures: task.failures + 1, error: unstorableResult(error) }
        } else {
          events.emit('error.unexpected', { where: 'writing a result', error })
          return null
        }
      }
    }
  }

  function announceStart({ task }: RunningTask) {
    events.emit('task.started', { ...announced(task), waitMs: task.waitMs })
  }

  function announceEnd(
    { task }: RunningTask,
    { status, decision, runMs }: { status: TaskStatus | null; decision: Decision; runMs: number },
  ) {
    if (status === null) return events.emit('task.refused', announced(task))
    const { error, delayMs } = decision
    events.emit('task.finished', { ...announced(task), status, runMs, error: error?.message, delayMs })
  }
}

/**
 * The context that a handler gets. It is a class because of the getter `signal`: in an object literal, V8
 * would allocate a closure for it in the old generation, which keeps the task and its input in memory until
 * the next full garbage collection.
 */
class AttemptContext implements TaskContext {
  readonly id: string
  readonly attempt: number
  readonly requestId: string | undefined
  readonly traceparent: string | undefined
  readonly progress: TaskContext['progress']
  readonly log: TaskContext['log']
  readonly #running: RunningTask

  constructor(running: RunningTask, { progress, log }: Pick<TaskContext, 'progress' | 'log'>) {
    this.id = running.task.id
    this.attempt = running.task.attempt
    this.requestId = running.task.requestId ?? undefined
    this.traceparent = running.task.traceparent ?? undefined
    this.progress = progress
    this.log = log
    this.#running = running
  }

  get signal(): AbortSignal {
    return this.#running.signal
  }
}

function announced({ id, name, attempt, requestId, traceparent }: ClaimedTask): AnnouncedTask {
  return {
    taskId: id,
    name,
    attempt,
    ...(requestId !== null && { requestId }),
    ...(traceparent !== null && { traceparent }),
  }
}

const FINISH_RETRY_MS = 500
const UNKNOWN_BACKOFF = { baseMs: 1_000, capMs: 300_000 }
const UNSTORABLE = 'UnstorableResult'

/**
 * Checks whether a write failed because its result can never be stored: it is not serializable, nested too
 * deeply or too large (`resultTextOf`), or Postgres rejects it (SQLSTATE classes 22 data exception, 54 limit
 * exceeded). All other errors (outage, failover, changed password) count as transient.
 */
function isUnstorable(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  if (!(error instanceof Error) || isAppError(error)) return false
  const state = 'code' in error ? String(error.code) : ''
  return /^(22|54)\w{3}$/.test(state) || isUnstorable(error.cause)
}

function outcomeOf(error: unknown, { abortReason: reason, task }: RunningTask): Outcome {
  if (reason === 'cancelled') return { kind: 'cancelled' }
  if (reason === 'shutdown' || reason === 'lost') return { kind: 'released' }
  if (reason === 'timeout') {
    const message = `Timed out: an attempt may take ${task.timeoutMs / 1_000} s`
    return { kind: 'failed', error: { name: 'TimeoutError', message, retryable: true } }
  }
  const minDelayMs = error instanceof RetryLaterError ? error.delayMs : undefined
  return { kind: 'failed', error: taskErrorOf(error), minDelayMs }
}

// Maximum length of a progress message in characters. The page shows it as one line under the progress bar.
const MAX_PROGRESS_MESSAGE = 500

/** Shortens a progress message and replaces NUL and lone surrogates, which a Postgres text cannot contain. */
function progressMessageOf(message: string | undefined): string | undefined {
  if (message === undefined) return undefined
  return String(message).slice(0, MAX_PROGRESS_MESSAGE).toWellFormed().replaceAll('\0', '\ufffd')
}

// Maximum length of an error message in characters. It is stored with the task and shown on the page.
const MAX_MESSAGE = 4_000

function taskErrorOf(error: unknown): TaskError {
  const name = error instanceof Error ? error.name : 'Error'
  const message = messageOf(error).slice(0, MAX_MESSAGE)
  return { name, message, retryable: !(error instanceof PermanentError) }
}

function unstorableResult(error: unknown): TaskError {
  return {
    name: UNSTORABLE,
    message: `The result cannot be stored as JSON: ${messageOf(error)}`,
    retryable: false,
  }
}
