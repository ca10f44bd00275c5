// Runs one attempt of a task: calls the handler, decides the new status of the task from the outcome, and
// writes it to Postgres.
import { pause } from '../base/loop.ts'
import type { TaskContext, TaskDefinition } from '../definitions/define.ts'
import type { Registry } from '../definitions/registry.ts'
import { type Decision, decide, type Outcome, type TaskStatus } from '../definitions/task-status.ts'
import type { ClaimedTask } from '../store/claim.ts'
import type { Finish } from '../store/finish.ts'
import type { AnnouncedTask, Events } from '../telemetry/events.ts'
import { createAttemptContext } from './attempt-context.ts'
import {
  isUnstorable,
  isUnstorableResult,
  outcomeOfError,
  outcomeOfResult,
  unstorableResult,
} from './attempt-outcome.ts'
import type { RunningTask, RunningTasks } from './running-tasks.ts'
import type { TaskLogs } from './task-logs.ts'
import type { UnwrittenResults } from './unwritten-results.ts'

export interface RunnerDependencies {
  workerId: string
  registry: Registry
  running: RunningTasks
  logs: TaskLogs
  unwritten: UnwrittenResults
  /**
   * Writes the end of an attempt to Postgres. Resolves with the new status of the task, or with null if the
   * write was refused, because the attempt is no longer the current one of its task.
   */
  finish: (finish: Finish) => Promise<TaskStatus | null>
  /**
   * Called when the handler has returned, before the end of the attempt is written, so that another task can
   * start during that write; only if too many results are not written yet, it is called after the write.
   */
  freeSlot: () => void
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
  const { workerId, registry, running, logs, unwritten, finish, freeSlot, onFinished, events } = dependencies

  return async (task) => {
    const attempt = running.begin(task)
    if (!attempt) return freeSlot()
    announceStart(attempt)
    const definition = registry.find(task.name)
    const startedMs = performance.now()
    const outcome = await perform(definition, attempt)
    const runMs = performance.now() - startedMs
    // Frees the input, which would otherwise stay in memory until the end of the attempt is written.
    task.input = undefined
    const { failures, maxRetries } = task
    const backoff = definition?.backoff ?? UNKNOWN_BACKOFF
    const policy = { failures, maxRetries, backoff, isCancelRequested: false }
    const decision = decide(policy, outcome, Math.random())
    const bytes = (decision.resultText?.length ?? 0) + (attempt.log?.bytes ?? 0)
    const isSlotFree = unwritten.add(bytes)
    if (isSlotFree) freeSlot()
    const status = await finishUntilWritten(attempt, decision)
    if (isSlotFree) unwritten.remove(bytes)
    else freeSlot()
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
      return outcomeOfResult(await definition.run(task.input, contextOf(attempt)))
    } catch (error) {
      return outcomeOfError(error, attempt)
    } finally {
      clearTimeout(timer)
    }
  }

  function contextOf(attempt: RunningTask): TaskContext {
    return createAttemptContext(attempt, (message, fields) => {
      const replacement = logs.add(attempt, message, fields)
      events.emit('task.log', { ...announced(attempt.task), message, fields: replacement ?? fields })
    })
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
        } else if (decision.status === 'SUCCESS' || !isUnstorableResult(decision.error)) {
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
