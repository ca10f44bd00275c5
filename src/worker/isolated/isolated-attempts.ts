// Runs attempts in isolated processes: passes the task, its abort, progress and log lines between the worker
// and a process, enforces the limits of time and memory, and derives the outcome from the end of the process.
import { readFileSync } from 'node:fs'
import { type Isolation, PermanentError, RetryLaterError } from '../../definitions/define.ts'
import type { Outcome, TaskError } from '../../definitions/task-status.ts'
import type { NewLogLine } from '../../store/log-store.ts'
import type { Events } from '../../telemetry/events.ts'
import { outcomeOfError } from '../attempts/attempt-outcome.ts'
import type { RunningTask } from '../attempts/running-tasks.ts'
import type { IsolatedProcess, ProcessEnd } from './isolated-process.ts'
import { createPool, StartError } from './pool.ts'
import type { FromProcess, StrayError } from './protocol.ts'
import { notLoaded } from './serve-attempts.ts'

export interface IsolatedAttempts {
  /** Runs an attempt in a process. Never rejects. */
  perform(limits: Isolation, attempt: RunningTask): Promise<Outcome>
  /** Kills all processes, and with them the attempts that run there. Resolves when they have ended. */
  stop(): Promise<void>
}

export interface IsolatedAttemptsOptions {
  /** Module that calls `serveAttempts` with the definitions. */
  script: string
  /** Maximum number of processes. */
  size: number
  /** Names of the definitions with `isolate`. If there are any, the processes are started ahead. */
  names: string[]
  /** Adds log lines of an attempt. */
  onLog: (attempt: RunningTask, lines: NewLogLine[]) => void
  events: Events
}

// How often the memory of the processes that run attempts is read. In this time a process can allocate some
// 100 MB more than its limit.
const MEMORY_MS = 100
const MIB = 1_024 * 1_024

export function createIsolatedAttempts(options: IsolatedAttemptsOptions): IsolatedAttempts {
  const { script, size, names, onLog, events } = options
  const report = (error: Error) =>
    void events.emit('error.unexpected', { where: 'isolated processes', error })
  const pool = createPool({
    script,
    size,
    isStartedAhead: names.length > 0,
    onReady: checkNames,
    onStartError: report,
    onIdleError: reportStrayError,
  })
  let areNamesChecked = false

  return { perform, stop: pool.stop }

  async function perform(limits: Isolation, attempt: RunningTask): Promise<Outcome> {
    try {
      for (;;) {
        const process = await pool.take()
        const outcome = await performIn(process, limits, attempt).finally(() => pool.giveBack(process))
        // A process that ended while it was idle has not begun the attempt: another one runs it.
        if (outcome) return outcome
      }
    } catch (error) {
      return startFailure(error, attempt)
    }
  }

  /** @returns undefined if the process ended before it had begun the attempt */
  async function performIn(
    process: IsolatedProcess,
    limits: Isolation,
    attempt: RunningTask,
  ): Promise<Outcome | undefined> {
    if (attempt.abortReason) return outcomeOfError(undefined, attempt)
    const memory = watchMemory(process, limits.memoryMb)
    let timer: NodeJS.Timeout | undefined
    let killTimer: NodeJS.Timeout | undefined
    const onAbort = () => {
      process.abort(attempt.abortReason ?? 'shutdown')
      killTimer = setTimeout(process.kill, limits.killGraceMs)
    }
    attempt.signal.addEventListener('abort', onAbort)
    try {
      const end = await process.run(attempt.task, (message) => {
        if (message.kind === 'begun')
          timer = setTimeout(() => attempt.abort('timeout'), attempt.task.timeoutMs)
        else receive(message, attempt, process)
      })
      if (end === null) {
        process.isSpent = true
        return undefined
      }
      if ('kind' in end) {
        // The next attempt must not fail because of memory that this one has left behind.
        process.isSpent ||=
          process.attempts >= limits.maxAttemptsPerProcess || memory.readMb() > limits.memoryMb / 2
        return end
      }
      process.isSpent = true
      return outcomeOfExit(end, attempt, { limits, exceededMb: memory.exceededMb })
    } finally {
      attempt.signal.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      clearTimeout(killTimer)
      memory.stop()
    }
  }

  function receive(message: FromProcess, attempt: RunningTask, process: IsolatedProcess) {
    if (message.kind === 'progress') attempt.progress = message.progress
    else if (message.kind === 'log') onLog(attempt, message.lines)
    else if (message.kind === 'stray error') receiveStrayError(message, attempt, process)
  }

  function receiveStrayError(stray: StrayError, attempt: RunningTask, process: IsolatedProcess) {
    // The state of the process is not known any more.
    process.isSpent = true
    reportStrayError(stray)
    // An error without a known attempt can only come from this attempt or an earlier one of the process. It is
    // charged to this one, which is the only one that runs.
    if (stray.isRunning || !stray.key) attempt.abortBecauseOf(thrownOf(stray))
  }

  function reportStrayError(stray: StrayError) {
    events.emit('error.unexpected', {
      where: 'task code in an isolated process, outside of the promise of its attempt',
      ...stray.key,
      error: thrownOf(stray),
    })
  }

  function checkNames(loaded: string[]) {
    if (areNamesChecked) return
    areNamesChecked = true
    for (const name of names.filter((name) => !loaded.includes(name))) report(new Error(notLoaded(name)))
  }
}

/** Kills a process whose resident memory exceeds the limit. On systems without /proc there is no limit. */
function watchMemory({ pid, kill }: IsolatedProcess, memoryMb: number) {
  let exceededMb: number | undefined
  const timer = setInterval(() => {
    const usedMb = memoryOf(pid)
    if (usedMb <= memoryMb || exceededMb !== undefined) return
    exceededMb = usedMb
    kill()
  }, MEMORY_MS)
  return {
    get exceededMb() {
      return exceededMb
    },
    readMb: () => memoryOf(pid),
    stop: () => clearInterval(timer),
  }
}

// Size of a page of memory on the processors on which Node runs in production (x86-64, and arm64 as on AWS).
const PAGE_BYTES = 4_096

/** Returns the resident memory of a process in MiB; 0 if it cannot be read. */
function memoryOf(pid: number | undefined): number {
  try {
    const [, pages = 0] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number)
    return Math.round((pages * PAGE_BYTES) / MIB)
  } catch {
    return 0
  }
}

interface ExitOptions {
  limits: Isolation
  /** Memory of the process in MiB when it was killed because of its limit. */
  exceededMb: number | undefined
}

function outcomeOfExit(end: ProcessEnd, attempt: RunningTask, { limits, exceededMb }: ExitOptions): Outcome {
  const stderr = end.stderr === '' ? {} : { stderr: storable(end.stderr) }
  if (exceededMb !== undefined) {
    const message = `The attempt used ${exceededMb} MB of memory and was killed: its limit is ${limits.memoryMb} MB (isolate.memoryMb)`
    return failed({ name: 'MemoryLimitError', message, retryable: true, ...stderr })
  }
  if (attempt.abortReason) return outcomeOfKill(attempt, limits, stderr)
  const reason = end.signal
    ? `was ended by the signal ${end.signal}${hintOf(end)}`
    : `exited with code ${end.code}`
  const message = `The isolated process of the attempt ${reason}`
  return failed({ name: 'ProcessCrashed', message, retryable: true, ...stderr })
}

function hintOf({ signal }: ProcessEnd): string {
  return signal === 'SIGKILL' ? ', for example because the host or the container had no memory left' : ''
}

/** Returns the outcome of an attempt whose process was killed, or has ended, after the attempt was aborted. */
function outcomeOfKill(attempt: RunningTask, limits: Isolation, stderr: { stderr?: string }): Outcome {
  const ignored = `The handler ignored its AbortSignal for ${limits.killGraceMs / 1_000} s, so its process was killed`
  const outcome = outcomeOfError(undefined, attempt)
  if (outcome.kind === 'cancelled')
    return {
      ...outcome,
      error: { name: 'AbortIgnored', message: `Cancelled. ${ignored}`, retryable: true, ...stderr },
    }
  if (outcome.kind !== 'failed') return outcome
  const { error } = outcome
  return { ...outcome, error: { ...error, message: `${error.message}. ${ignored}`, ...stderr } }
}

function startFailure(error: unknown, attempt: RunningTask): Outcome {
  if (attempt.abortReason) return outcomeOfError(undefined, attempt)
  if (!(error instanceof StartError)) return outcomeOfError(error, attempt)
  const { name, message, stderr } = error
  return failed({ name, message, retryable: true, ...(stderr !== '' && { stderr: storable(stderr) }) })
}

function failed(error: TaskError): Outcome {
  return { kind: 'failed', error }
}

/** Rebuilds an error that code in the process has thrown. */
function thrownOf({ error: { name, message, retryable, stack }, minDelayMs }: StrayError): Error {
  const error =
    minDelayMs !== undefined
      ? new RetryLaterError(message, { delayMs: minDelayMs })
      : retryable
        ? new Error(message)
        : new PermanentError(message)
  return Object.assign(error, { name, stack })
}

/** Replaces NUL and lone surrogates, which Postgres cannot store. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
