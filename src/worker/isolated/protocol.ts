// The messages between a worker and its isolated processes. They travel over Node's IPC channel, serialized
// by the structured clone algorithm. A process runs one attempt at a time. After an installation, workers of
// the version before start processes of this one: messages may only get more members.
import type { Outcome, TaskError } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { NewLogLine } from '../../store/log-store.ts'
import type { AbortReason, AttemptKey, RunningTask } from '../attempts/running-tasks.ts'

/** Exit code of a process that could not open the services of the project. A later start may succeed. */
export const SERVICES_FAILED = 75

export type ToProcess =
  /** `run` numbers the attempts of a process. */
  { kind: 'run'; run: number; task: ClaimedTask } | { kind: 'abort'; reason: AbortReason }

export type FromProcess = Ready | AttemptMessage | StrayError

/** The process has loaded the definitions with these names, and can run attempts. */
export interface Ready {
  kind: 'ready'
  names: string[]
}

/** A message about the attempt with the number `run`. Messages about earlier attempts are ignored. */
export type AttemptMessage = { run: number } & (
  | { kind: 'begun' }
  | { kind: 'progress'; progress: NonNullable<RunningTask['progress']> }
  | { kind: 'log'; lines: NewLogLine[] }
  /** `stack`: of the error that the handler has thrown. */
  | { kind: 'ended'; outcome: Outcome; stack?: string }
)

/** Code has thrown outside of the promise of its attempt. */
export interface StrayError {
  kind: 'stray error'
  error: TaskError
  minDelayMs?: number
  /** The attempt whose code has thrown; undefined if it is not known. */
  key?: AttemptKey
}
