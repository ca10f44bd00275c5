// One isolated process, as its worker sees it.
import { type ChildProcess, fork } from 'node:child_process'
import { pause } from '../../base/loop.ts'
import type { Outcome } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { AbortReason } from '../attempts/running-tasks.ts'
import type { FromProcess, StrayError, ToProcess } from './protocol.ts'

export interface IsolatedProcess {
  /** Id of the process and of its process group; undefined if it could not be started. */
  readonly pid: number | undefined
  /** Number of attempts that it has begun. */
  readonly attempts: number
  /** True if the process must not run another attempt. */
  isSpent: boolean
  /** Resolves with the names of the definitions when the process has loaded them; null if it ended before. */
  readonly ready: Promise<string[] | null>
  /** Resolves when the process has ended and its last messages and output have arrived. */
  readonly ended: Promise<ProcessEnd>
  /**
   * Runs an attempt. Call it only when the last one has ended.
   * @param receive called with all messages of the attempt but the last one
   * @returns the outcome of the attempt; the end of the process if it ended during the attempt; null if the
   * process ended, or was killed here, before it had begun the attempt
   */
  run(task: ClaimedTask, receive: (message: FromProcess) => void): Promise<Outcome | ProcessEnd | null>
  abort(reason: AbortReason): void
  /** Kills the process and all processes of its group. */
  kill(): void
}

export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
  /** Last part of the standard error of the process. */
  stderr: string
  /** The error for which the process could not be started. */
  error?: Error
}

// Maximum length of the kept standard error, in characters. It is part of the error of an attempt.
const MAX_STDERR = 4_000
// How long the last messages and output of an ended process may take to arrive. The pipes stay open longer only
// if a process that task code has started has left the process group.
const LAST_OUTPUT_MS = 1_000

// How long a free process may take to begin an attempt. It needs milliseconds, unless the code of an earlier
// attempt still computes.
const BEGIN_MS = 5_000

/**
 * @param script the module that calls `serveAttempts`
 * @param onIdleError called with an error of code that an earlier attempt has left behind
 */
export function startIsolatedProcess(
  script: string,
  onIdleError: (error: StrayError, process: IsolatedProcess) => void,
): IsolatedProcess {
  const child = fork(script, [], {
    // A group of its own, so that a kill also reaches the processes that task code has started. Ctrl-C in a
    // terminal does not reach it: its worker ends it in order.
    detached: true,
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let attempts = 0
  let receive = receiveIdle
  let lastEnd: ProcessEnd | undefined
  let finish: (end: ProcessEnd) => void = () => {}
  const ended = untilEnded(child)
  void ended.then((end) => {
    lastEnd = end
    finish(end)
  })
  const isolated: IsolatedProcess = {
    pid: child.pid,
    get attempts() {
      return attempts
    },
    isSpent: false,
    ready: untilReady(child),
    ended,
    run,
    abort: (reason) => send({ kind: 'abort', reason }),
    kill,
  }
  child.on('message', (message: FromProcess) => receive(message))
  return isolated

  async function run(task: ClaimedTask, receiveMessage: (message: FromProcess) => void) {
    let hasBegun = false
    const beginTimer = setTimeout(kill, BEGIN_MS)
    const { promise, resolve } = Promise.withResolvers<Outcome | ProcessEnd>()
    finish = resolve
    if (lastEnd) resolve(lastEnd)
    receive = (message) => {
      if (message.kind === 'begun') {
        hasBegun = true
        attempts++
        clearTimeout(beginTimer)
      }
      if (message.kind === 'ended') resolve(message.outcome)
      else receiveMessage(message)
    }
    send({ kind: 'run', task })
    const end = await promise
    clearTimeout(beginTimer)
    receive = receiveIdle
    return hasBegun ? end : null
  }

  function receiveIdle(message: FromProcess) {
    if (message.kind === 'stray error') onIdleError(message, isolated)
  }

  function send(message: ToProcess) {
    if (child.connected) child.send(message, () => {})
  }

  function kill() {
    killGroup(child.pid)
  }
}

function untilReady(child: ChildProcess): Promise<string[] | null> {
  return new Promise((resolve) => {
    child.once('message', (message: FromProcess) => resolve(message.kind === 'ready' ? message.names : null))
    child.once('exit', () => resolve(null))
    child.once('error', () => resolve(null))
  })
}

function untilEnded(child: ChildProcess): Promise<ProcessEnd> {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text)
    stderr = (stderr + text).slice(-MAX_STDERR)
  })
  return new Promise((resolve) => {
    child.once('error', (error) => {
      // Also emitted if a message could not be sent: then the process runs, and its exit is the end.
      if (child.pid === undefined) resolve({ code: null, signal: null, stderr, error })
    })
    child.once('exit', (code, signal) => {
      killGroup(child.pid)
      const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
      void Promise.race([closed, pause(LAST_OUTPUT_MS)]).then(() =>
        resolve({ code, signal, stderr: stderr.trim() }),
      )
    })
  })
}

function killGroup(pid: number | undefined) {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // No process of the group is left.
  }
}
