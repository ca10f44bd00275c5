// Stray errors: errors that no promise and no `try` handles, for example of a callback that throws or of a
// promise that nobody awaits. Node ends a process with such an error, and with it all tasks that run there.
// Here the error fails only the attempt whose code has thrown it: code of an attempt runs in an async context
// of its own.
//
// The attribution can be wrong. A connection that tasks share belongs to the attempt that opened it, so an
// error in its callbacks is attributed to that attempt.
import type { Events } from '../../telemetry/events.ts'
import type { WorkerFailure } from '../worker-failure.ts'
import type { AttemptKey, AttemptScope, RunningTasks } from './running-tasks.ts'

export interface StrayErrorsDependencies {
  scope: AttemptScope
  running: RunningTasks
  events: Events
  fail: WorkerFailure['fail']
}

export type StrayErrorHandler = (error: unknown) => void

/** Passes stray errors of this process to the handler of its worker, so that they do not end the process. */
export function catchStrayErrors(handle: StrayErrorHandler): void {
  process.on('uncaughtException', handle)
  process.on('unhandledRejection', handle)
}

/** Creates the handler of a worker. Node calls it in the async context in which the error was thrown. */
export function createStrayErrorHandler(dependencies: StrayErrorsDependencies): StrayErrorHandler {
  const { scope, running, events, fail } = dependencies
  return (error) => {
    const key = scope.getStore()
    // Leaves the context: whatever the worker starts from here is not code of the attempt.
    scope.exit(() => (key ? attribute(key, error) : fail(UNATTRIBUTED, error)))
  }

  function attribute(key: AttemptKey, error: unknown) {
    const attempt = running.find(key)
    events.emit('error.unexpected', {
      where: 'task code, outside of the promise of its attempt',
      ...key,
      error,
    })
    // If the attempt has ended, its end does not change; the error is only logged.
    if (attempt && !attempt.isOver) attempt.abortBecauseOf(error)
  }
}

const UNATTRIBUTED =
  'An error was thrown outside of any attempt, so the state of this process is unknown. The worker stops'
