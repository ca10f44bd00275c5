// Runs attempts in isolated processes: passes the task, its abort, progress and log lines between the worker
// and a process, enforces the limits, and derives the outcome from the end of the process.
import { pause } from '../../base/loop.ts'
import { startTimeLimit, type TimeLimit } from '../../base/time-limit.ts'
import { type Isolation, PermanentError, RetryLaterError } from '../../definitions/define.ts'
import type { Outcome } from '../../definitions/task-status.ts'
import type { NewLogLine } from '../../store/log-store.ts'
import type { Events } from '../../telemetry/events.ts'
import { outcomeOfError } from '../attempts/attempt-outcome.ts'
import type { RunningTask } from '../attempts/running-tasks.ts'
import type { IsolatedProcess, ProcessEnd } from './isolated-process.ts'
import { limitMemory, memoryOf } from './memory-limit.ts'
import { createPool, StartError } from './pool.ts'
import { outcomeOfProcessEnd, outcomeOfStartError } from './process-outcome.ts'
import type { AttemptMessage, StrayError } from './protocol.ts'
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
  /** How long starts are repeated that cannot load the code; `LOAD_RETRY_MS` by default. */
  loadRetryMs?: number
  /** Names of the definitions with `isolate`. If there are any, the processes are started ahead. */
  names: string[]
  /** Adds log lines of an attempt. */
  onLog: (attempt: RunningTask, lines: NewLogLine[]) => void
  events: Events
}

// Pause before another start when a process could not be started.
const START_PAUSE_MS = 2_000
// The worker itself has loaded the same code. So if a process cannot, its files have changed since, and
// usually are changing: npm removes packages before it writes new ones. This is longer than that takes.
const LOAD_RETRY_MS = 60_000
// How many processes in a row may end before they have begun an attempt. Then the attempt fails.
const MAX_UNBEGUN = 3

export function createIsolatedAttempts(options: IsolatedAttemptsOptions): IsolatedAttempts {
  const { script, size, loadRetryMs = LOAD_RETRY_MS, names, onLog, events } = options
  const report = (error: unknown) =>
    void events.emit('error.unexpected', { where: 'isolated processes', error })
  /** Memory of each process when it had loaded the definitions. */
  const emptyMb = new WeakMap<IsolatedProcess, number>()
  /** Processes in which code of an earlier attempt has thrown: their state is not known any more. */
  const unreliable = new WeakSet<IsolatedProcess>()
  let areNamesChecked = false
  const pool = createPool({
    script,
    size,
    isStartedAhead: names.length > 0,
    onReady(process, loaded) {
      emptyMb.set(process, memoryOf(process.pid))
      checkNames(loaded)
    },
    onStartError: report,
    onIdleError(stray, process) {
      unreliable.add(process)
      reportStrayError(stray)
    },
  })
  return { perform, stop: pool.stop }

  async function perform(limits: Isolation, attempt: RunningTask): Promise<Outcome> {
    for (let unbegun = 0; ; ) {
      const process = await takeFor(limits, attempt)
      if (process === null || process instanceof StartError) return outcomeOfStartError(process, attempt)
      const end = await performIn(process, limits, attempt).finally(() => pool.giveBack(process))
      if ('kind' in end) return end
      // The process ended while it was idle, or code of an earlier attempt computed there.
      report(new Error('An isolated process ended before it had begun an attempt'))
      if (++unbegun === MAX_UNBEGUN)
        return outcomeOfProcessEnd(end, attempt, { limits, exceededMb: undefined, isKilled: false })
    }
  }

  /**
   * Takes a process whose memory leaves at least half of the limit to the attempt. Waits while the operating
   * system cannot start processes, because another attempt would not start here either.
   * @returns null if the attempt was aborted meanwhile; a StartError if the definitions cannot be loaded for
   *    `loadRetryMs`
   */
  async function takeFor(
    { memoryMb }: Isolation,
    attempt: RunningTask,
  ): Promise<IsolatedProcess | StartError | null> {
    let unloadedMs: number | undefined
    for (;;) {
      try {
        const process = await pool.take(attempt.signal)
        if (process === null || process.attempts === 0 || !isGrown(process, memoryMb)) return process
        process.isSpent = true
        pool.giveBack(process)
      } catch (error) {
        if (!(error instanceof StartError)) throw error
        if (!error.isTransient) {
          const nowMs = performance.now()
          unloadedMs ??= nowMs
          if (nowMs - unloadedMs >= loadRetryMs) return error
        }
        await pause(START_PAUSE_MS, attempt.signal)
      }
    }
  }

  function isGrown(process: IsolatedProcess, memoryMb: number): boolean {
    const empty = emptyMb.get(process) ?? 0
    return memoryOf(process.pid) - empty > (memoryMb - empty) / 2
  }

  /** @returns the outcome; the end of the process if it had not begun the attempt */
  async function performIn(
    process: IsolatedProcess,
    limits: Isolation,
    attempt: RunningTask,
  ): Promise<Outcome | ProcessEnd> {
    const memory = limitMemory(process, limits.memoryMb)
    let timeLimit: TimeLimit | undefined
    let killTimer: NodeJS.Timeout | undefined
    let hasBegun = false
    let isKilled = false
    const onAbort = () => {
      process.abort(attempt.abortReason ?? 'shutdown')
      killTimer = setTimeout(() => {
        isKilled = true
        process.kill()
      }, limits.killGraceMs)
    }
    attempt.signal.addEventListener('abort', onAbort)
    // Without an outcome, the process must not run another attempt.
    process.isSpent = true
    try {
      const end = await process.run(attempt.task, (message) => {
        if (message.kind === 'begun') {
          hasBegun = true
          timeLimit = startTimeLimit(attempt.task.timeoutMs, () => attempt.abort('timeout'))
        } else if (message.kind !== 'stray error') receive(message, attempt)
        // An earlier attempt has thrown, so the state of the process is unknown. Another process runs this
        // attempt.
        else if (!hasBegun) process.kill()
        else receiveStrayError(message, attempt, process)
      })
      if (!('kind' in end)) {
        if (!end.hasBegun && memory.exceededMb === undefined) return end
        return outcomeOfProcessEnd(end, attempt, { limits, exceededMb: memory.exceededMb, isKilled })
      }
      const hasStrayError = attempt.abortReason === 'stray error'
      process.isSpent =
        hasStrayError || unreliable.has(process) || process.attempts >= limits.maxAttemptsPerProcess
      // The process does not know an error that was not attributed to its attempt.
      return hasStrayError ? outcomeOfError(undefined, attempt) : end
    } finally {
      attempt.signal.removeEventListener('abort', onAbort)
      timeLimit?.clear()
      clearTimeout(killTimer)
      memory.stop()
    }
  }

  function receive(message: AttemptMessage, attempt: RunningTask) {
    if (message.kind === 'progress') attempt.progress = message.progress
    else if (message.kind === 'log') onLog(attempt, message.lines)
    else if (message.kind === 'ended') attempt.stack = message.stack
  }

  /**
   * An error without a known attempt comes from this attempt or from an earlier one of the process. It is
   * attributed to this one, because no other one runs.
   */
  function receiveStrayError(stray: StrayError, attempt: RunningTask, process: IsolatedProcess) {
    reportStrayError(stray)
    const { key } = stray
    const isOfAttempt = key?.taskId === attempt.task.id && key.attempt === attempt.task.attempt
    if (isOfAttempt || !key) attempt.abortBecauseOf(thrownOf(stray))
    else unreliable.add(process)
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
