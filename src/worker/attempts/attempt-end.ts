// Writes the end of an attempt to Postgres, and keeps what an attempt has returned and logged too late.
import { pause } from '../../base/loop.ts'
import type { Decision, TaskError, TaskStatus } from '../../definitions/task-status.ts'
import type { Finish } from '../../store/finish.ts'
import type { RefusedAttempt } from '../../store/refused-ends.ts'
import type { Events } from '../../telemetry/events.ts'
import type { EndedAttempt, HookCalls } from '../hooks.ts'
import { announced } from './announced-task.ts'
import { isUnstorable, isUnstorableResult, unstorableResult } from './attempt-outcome.ts'
import { refusedAttemptOf } from './refused-attempt.ts'
import type { RunningTask, RunningTasks } from './running-tasks.ts'
import type { TaskLogs } from './task-logs.ts'

export interface AttemptEnd {
  /**
   * Writes the end of an attempt whose handler has returned or was given up. Resolves when it is written or
   * refused. Never rejects.
   * @param thrown the error that the handler has thrown, if it is not the one in the decision
   */
  write(attempt: RunningTask, decision: Decision, thrown?: TaskError): Promise<void>
  /**
   * Keeps the result, the error and the log of a handler that has returned after its attempt was given up.
   */
  keepLate(attempt: RunningTask, decision: Decision, thrown?: TaskError): Promise<void>
}

export interface WrittenEnd {
  status: TaskStatus
  /** Delay before the next attempt in milliseconds; undefined if no next attempt was planned. */
  delayMs?: number
  hasCallback: boolean
}

export interface AttemptEndDependencies {
  workerId: string
  running: RunningTasks
  logs: TaskLogs
  /**
   * Writes the end of an attempt to Postgres. Resolves with the new status of the task, or with null if the
   * write was refused, because the attempt is no longer the current one of its task.
   */
  finish: (finish: Finish) => Promise<TaskStatus | null>
  /**
   * Keeps an end that `finish` has refused with its attempt. Resolves with null, or with the new status of
   * the task if an earlier write of the same end was accepted. Never rejects.
   */
  keepRefused: (end: RefusedAttempt) => Promise<TaskStatus | null>
  /** Called when the end of an attempt is in Postgres. Not called if it was refused. */
  onFinished: (end: WrittenEnd) => void
  /** Hooks of the project; undefined if it has none. */
  hooks?: HookCalls
  events: Events
}

interface Ending {
  /** New status of the task; null if the end of the attempt was refused. */
  status: TaskStatus | null
  decision: Decision
  runMs: number
}

const FINISH_RETRY_MS = 500

export function createAttemptEnd(dependencies: AttemptEndDependencies): AttemptEnd {
  const { workerId, running, logs, finish, keepRefused, onFinished, hooks, events } = dependencies

  return { write, keepLate }

  async function write(attempt: RunningTask, decision: Decision, thrown?: TaskError): Promise<void> {
    const runMs = performance.now() - attempt.startedMs
    // Frees the input, which would otherwise stay in memory until the end of the attempt is written.
    attempt.task.input = undefined
    const { status, written } = await finishUntilWritten(attempt, decision)
    if (status !== null) return conclude(attempt, { status, decision: written, runMs })
    const end = refusedAttemptOf(attempt, workerId, written, thrown)
    // Not awaited, because the slot of the attempt may wait for this function.
    void keepRefused(end).then((status) => conclude(attempt, { status, decision: end.decision, runMs }))
  }

  function conclude(attempt: RunningTask, ending: Ending) {
    const { status, decision } = ending
    const { hasCallback } = attempt.task
    logs.forget(attempt)
    running.end(attempt)
    if (status !== null) onFinished({ status, delayMs: decision.delayMs, hasCallback })
    announceEnd(attempt, ending)
    if (hooks && status !== null) hooks.attemptEnded(endedAttemptOf(attempt, status, decision))
  }

  async function keepLate(attempt: RunningTask, decision: Decision, thrown?: TaskError): Promise<void> {
    // The end of the attempt is written first, because the late end is kept in the row of its error.
    await attempt.givenUp
    attempt.givenUp = undefined
    const end = refusedAttemptOf(attempt, workerId, { ...decision, error: thrown })
    if (!end.refused) return
    await keepRefused(end)
    events.emit('task.refused', announced(attempt.task))
  }

  /**
   * Writes the end of an attempt. Repeats the write until Postgres responds, so that the result is not lost.
   * If the result cannot be stored, writes a failure instead.
   * @returns the new status of the task, null if the end was refused; and the decision that was written
   */
  async function finishUntilWritten(
    attempt: RunningTask,
    decision: Decision,
  ): Promise<{ status: TaskStatus | null; written: Decision }> {
    const { task } = attempt
    for (let written = decision; ; ) {
      // Writes the log lines before the end of the attempt, so that a finished attempt has a complete log.
      if (attempt.log) await logs.finish(attempt)
      try {
        const status = await finish({
          id: task.id,
          attempt: task.attempt,
          workerId,
          decision: written,
          isHeld: task.isHeld,
        })
        return { status, written }
      } catch (error) {
        if (!isUnstorable(error)) {
          events.emit('error.transient', { where: 'writing a result', error })
          await pause(FINISH_RETRY_MS)
        } else if (written.status === 'SUCCESS' || !isUnstorableResult(written.error)) {
          written = { status: 'FAILURE', failures: task.failures + 1, error: unstorableResult(error) }
        } else {
          events.emit('error.unexpected', { where: 'writing a result', error })
          return { status: null, written }
        }
      }
    }
  }

  function announceEnd({ task }: RunningTask, { status, decision, runMs }: Ending) {
    if (status === null) return events.emit('task.refused', announced(task))
    const { error, delayMs } = decision
    events.emit('task.finished', { ...announced(task), status, runMs, error: error?.message, delayMs })
  }
}

function endedAttemptOf({ task, stack }: RunningTask, status: TaskStatus, { error }: Decision): EndedAttempt {
  return {
    taskId: task.id,
    name: task.name,
    attempt: task.attempt,
    status,
    error: error && { name: error.name, message: error.message, stack: error.stack ?? stack },
  }
}
