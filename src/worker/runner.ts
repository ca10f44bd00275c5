// Runs one attempt of a task: calls the handler, decides what its end means, and writes it.
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
  /** Writes the end of an attempt. Resolves with null if it was refused: another attempt has the task. */
  finish: (finish: Finish) => Promise<TaskStatus | null>
  /** Called when the handler has returned, before the end is written. Another task may run in its slot. */
  onHandlerDone: () => void
  /** Called when the end was written. */
  onFinished: (end: AttemptEnd) => void
  events: Events
}

export interface AttemptEnd {
  status: TaskStatus
  /** Delay before the next attempt, if there is one. */
  delayMs?: number
  hasCallback: boolean
}

/** Resolves when the handler has returned and the end of the attempt is written. Never rejects. */
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
      // Retryable, because a worker of another version may have the definition.
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

  /** Repeats the write while Postgres cannot be reached, so that the finished work is not lost. */
  async function finishUntilWritten(attempt: RunningTask, decision: Decision): Promise<TaskStatus | null> {
    const { task } = attempt
    for (;;) {
      // The log comes first, so that the log of a finished attempt is complete.
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
 * A class because of its getter. For a getter in an object literal, V8 allocates a closure per object in its
 * old generation. The closure would keep the task and its input in memory until the next full collection.
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
 * Whether the result itself cannot be stored: not serializable, nested too deeply or too large
 * (`resultTextOf`), or rejected by Postgres (SQLSTATE classes 22 data exception, 54 limit exceeded). All
 * other errors (outage, failover, changed password) are transient.
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

// Shown as one line under the progress bar.
const MAX_PROGRESS_MESSAGE = 500

/** Makes a text storable in Postgres: shortened, without NUL and without lone surrogates. */
function progressMessageOf(message: string | undefined): string | undefined {
  if (message === undefined) return undefined
  return String(message).slice(0, MAX_PROGRESS_MESSAGE).toWellFormed().replaceAll('\0', '\ufffd')
}

// Limit for error messages, which are stored and shown on the page.
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
