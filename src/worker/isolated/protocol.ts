// The messages between a worker and its isolated processes. They travel over Node's IPC channel, serialized by
// the structured clone algorithm. A process runs one attempt at a time.
import type { Outcome, TaskError } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { NewLogLine } from '../../store/log-store.ts'
import type { AbortReason, AttemptKey, RunningTask } from '../attempts/running-tasks.ts'

export type ToProcess = { kind: 'run'; task: ClaimedTask } | { kind: 'abort'; reason: AbortReason }

export type FromProcess =
  /** The process has loaded the definitions with these names, and can run attempts. */
  | { kind: 'ready'; names: string[] }
  /** The process has received the task. Without this message a process that ends has not begun the attempt. */
  | { kind: 'begun' }
  | { kind: 'progress'; progress: NonNullable<RunningTask['progress']> }
  | { kind: 'log'; lines: NewLogLine[] }
  | StrayError
  | { kind: 'ended'; outcome: Outcome }

/** Code has thrown outside of the promise of its attempt. */
export interface StrayError {
  kind: 'stray error'
  error: TaskError
  minDelayMs?: number
  /** The attempt whose code has thrown; undefined if it is not known. */
  key?: AttemptKey
  /** True if it is the attempt that the process runs. */
  isRunning: boolean
}
