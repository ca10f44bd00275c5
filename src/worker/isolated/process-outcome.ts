// Derives the outcome of an isolated attempt from the end of its process.
import type { Isolation } from '../../definitions/define.ts'
import type { Outcome, TaskError } from '../../definitions/task-status.ts'
import { outcomeOfAbortWith, outcomeOfError } from '../attempts/attempt-outcome.ts'
import type { RunningTask } from '../attempts/running-tasks.ts'
import { describeEnd, type ProcessEnd } from './isolated-process.ts'
import type { StartError } from './pool.ts'

export interface EndOfLimits {
  limits: Isolation
  /** Memory of the process in MiB when it was killed because of its limit. */
  exceededMb: number | undefined
  /** True if the process was killed because the handler had ignored its abort. */
  isKilled: boolean
}

/** Returns the outcome of an attempt whose process has ended before the handler has returned. */
export function outcomeOfProcessEnd(end: ProcessEnd, attempt: RunningTask, reasons: EndOfLimits): Outcome {
  const { limits, exceededMb, isKilled } = reasons
  const stderr = stderrOf(end)
  if (exceededMb !== undefined) {
    const message = `The process of the attempt used ${exceededMb} MB of memory and was killed: its limit is ${limits.memoryMb} MB (isolate.memoryMb)`
    return failed({ name: 'MemoryLimitError', message, retryable: true, ...stderr })
  }
  if (attempt.abortReason === undefined) {
    const message = `The isolated process of the attempt ${describeEnd(end)}${hintOf(end)}`
    return failed({ name: 'ProcessCrashed', message, retryable: true, ...stderr })
  }
  const seconds = limits.killGraceMs / 1_000
  const detail = isKilled
    ? `The handler ignored its AbortSignal for ${seconds} s, so its process was killed`
    : `Then its process ${describeEnd(end)}`
  return outcomeOfAbortWith(detail, attempt.abortReason, attempt, stderr)
}

/**
 * Returns the outcome of an attempt for which no process was started.
 * @param error null if the attempt was aborted, or the worker stopped, while it waited for a process
 */
export function outcomeOfStartError(error: StartError | null, attempt: RunningTask): Outcome {
  if (attempt.abortReason) return outcomeOfError(undefined, attempt)
  // The worker has stopped its processes.
  if (error === null) return { kind: 'released' }
  const { name, message } = error
  return failed({ name, message, retryable: true, ...stderrOf(error) })
}

function hintOf({ signal }: ProcessEnd): string {
  return signal === 'SIGKILL' ? ', for example because the host or the container had no memory left' : ''
}

function failed(error: TaskError): Outcome {
  return { kind: 'failed', error }
}

/** Replaces NUL and lone surrogates, which Postgres cannot store. */
function stderrOf({ stderr }: { stderr: string }): { stderr?: string } {
  return stderr === '' ? {} : { stderr: stderr.toWellFormed().replaceAll('\0', '\ufffd') }
}
