// One isolated process, as its worker sees it.
import { type ChildProcess, fork } from 'node:child_process'
import { messageOf } from '../../base/errors.ts'
import { pause } from '../../base/loop.ts'
import type { Outcome } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { AbortReason } from '../attempts/running-tasks.ts'
import {
  type AttemptMessage,
  type FromProcess,
  SERVICES_FAILED,
  type StrayError,
  type ToProcess,
} from './protocol.ts'

export interface IsolatedProcess {
  /** Id of the process and of its process group; undefined if it could not be started. */
  readonly pid: number | undefined
  /** Number of attempts that it has begun. */
  readonly attempts: number
  readonly isReady: boolean
  /** True if the process must not run another attempt. */
  isSpent: boolean
  /** Resolves with the names of the definitions when the process has loaded them; null if it ended before. */
  readonly ready: Promise<string[] | null>
  /** Resolves when the process has ended and its last messages and output have arrived. */
  readonly ended: Promise<ProcessEnd>
  /**
   * Runs an attempt. Call it only when the last one has ended.
   * @param receive called with the messages of the attempt, and with stray errors
   * @returns the outcome of the attempt, or the end of the process if it ended during the attempt
   */
  run(
    task: ClaimedTask,
    receive: (message: AttemptMessage | StrayError) => void,
  ): Promise<Outcome | ProcessEnd>
  abort(reason: AbortReason): void
  /** Kills the process and all processes of its group. */
  kill(): void
}

export interface ProcessEnd {
  /** True if the process had received the attempt, so that task code may have run. */
  hasBegun: boolean
  code: number | null
  signal: NodeJS.Signals | null
  /**
   * What the process has written to its standard error during its last attempt: the last 4,000 characters.
   */
  stderr: string
  /** Why the operating system could not start the process. */
  error?: unknown
  /** True if the process was killed because it had not loaded the definitions in time. */
  isTooSlow: boolean
}

const MAX_STDERR = 4_000
// How long a process may take to load the definitions.
const START_MS = 60_000
// How long a free process may take to begin an attempt. It needs milliseconds, unless code of an earlier
// attempt still computes there.
const BEGIN_MS = 5_000
// How long the last messages and output of an ended process may take to arrive. The pipes stay open longer
// only if a process that task code has started has left the process group.
const LAST_OUTPUT_MS = 1_000

/**
 * @param script the module that calls `serveAttempts`
 * @param onIdleError called with an error of code that an earlier attempt has left behind
 */
export function startIsolatedProcess(
  script: string,
  onIdleError: (error: StrayError, process: IsolatedProcess) => void,
): IsolatedProcess {
  try {
    return watch(forkScript(script), onIdleError)
  } catch (error) {
    // `fork` throws some errors of the operating system, and emits the others.
    return notStarted(error)
  }
}

function watch(
  child: ChildProcess,
  onIdleError: (error: StrayError, process: IsolatedProcess) => void,
): IsolatedProcess {
  let runs = 0
  let attempts = 0
  let isReady = false
  let hasBegun = false
  let hasExited = false
  let stderr = ''
  let lastEnd: ProcessEnd | undefined
  let receive: (message: AttemptMessage | StrayError) => void = receiveIdle
  let finish: (end: Outcome | ProcessEnd) => void = () => {}
  const ready = Promise.withResolvers<string[] | null>()
  const ended = Promise.withResolvers<ProcessEnd>()
  let isTooSlow = false
  const startTimer = setTimeout(() => {
    isTooSlow = true
    kill()
  }, START_MS)
  void ready.promise.then(() => clearTimeout(startTimer))

  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text)
    stderr = (stderr + text).slice(-MAX_STDERR)
  })
  child.on('message', (message: FromProcess) => {
    if (message.kind === 'ready') {
      isReady = true
      ready.resolve(message.names)
    } else if (message.kind === 'stray error') receive(message)
    else if (message.run === runs) receiveOfAttempt(message)
  })
  // Also emitted if a message cannot be sent or a kill fails: then the process runs, and its exit is the end.
  child.once('error', (error) => {
    if (child.pid === undefined) end({ code: null, signal: null, error })
  })
  child.once('exit', (code, signal) => {
    // Kills the other processes of its group.
    kill()
    hasExited = true
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    void Promise.race([closed, pause(LAST_OUTPUT_MS)]).then(() => end({ code, signal }))
  })

  const isolated: IsolatedProcess = {
    pid: child.pid,
    get attempts() {
      return attempts
    },
    get isReady() {
      return isReady
    },
    isSpent: false,
    ready: ready.promise,
    ended: ended.promise,
    run,
    abort: (reason) => send({ kind: 'abort', reason }),
    kill,
  }
  return isolated

  async function run(task: ClaimedTask, receiveMessage: typeof receive) {
    hasBegun = false
    stderr = ''
    runs++
    const end = Promise.withResolvers<Outcome | ProcessEnd>()
    finish = end.resolve
    receive = receiveMessage
    if (lastEnd) finish({ ...lastEnd, hasBegun, stderr })
    // After a block of the event loop the timer is called before messages that have arrived meanwhile.
    const beginTimer = setTimeout(() => setImmediate(() => hasBegun || kill()), BEGIN_MS)
    try {
      send({ kind: 'run', run: runs, task })
      return await end.promise
    } finally {
      clearTimeout(beginTimer)
      receive = receiveIdle
    }
  }

  function receiveOfAttempt(message: AttemptMessage) {
    if (message.kind === 'begun') {
      hasBegun = true
      attempts++
    }
    if (message.kind === 'ended') {
      // The next message can be an error that code of the attempt throws after its end. It can have arrived
      // together with this one.
      const receiveLast = receive
      receive = receiveIdle
      receiveLast(message)
      finish(message.outcome)
    } else receive(message)
  }

  function receiveIdle(message: AttemptMessage | StrayError) {
    if (message.kind === 'stray error') onIdleError(message, isolated)
  }

  function end(exit: Pick<ProcessEnd, 'code' | 'signal' | 'error'>) {
    lastEnd = { ...exit, hasBegun, isTooSlow, stderr: stderr.trim() }
    ready.resolve(null)
    ended.resolve(lastEnd)
    finish(lastEnd)
  }

  function send(message: ToProcess) {
    if (child.connected) child.send(message, () => {})
  }

  function kill() {
    // After its exit, the operating system can give its id to another process.
    if (!hasExited) killGroup(child.pid)
  }
}

function forkScript(script: string): ChildProcess {
  return fork(script, [], {
    // A group of its own, so that a kill also reaches the processes that task code has started. Ctrl-C in a
    // terminal does not reach it: its worker ends it in order.
    detached: true,
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
}

function notStarted(error: unknown): IsolatedProcess {
  const end: ProcessEnd = { hasBegun: false, code: null, signal: null, stderr: '', error, isTooSlow: false }
  return {
    pid: undefined,
    attempts: 0,
    isReady: false,
    isSpent: true,
    ready: Promise.resolve(null),
    ended: Promise.resolve(end),
    run: async () => end,
    abort: () => {},
    kill: () => {},
  }
}

/** Says how a process has ended: "exited with code 1". */
export function describeEnd({ code, signal, error, isTooSlow }: ProcessEnd): string {
  if (isTooSlow) return `did not load the project within ${START_MS / 1_000} s`
  if (code === SERVICES_FAILED) return 'could not open the services of the project'
  if (error !== undefined) return messageOf(error)
  return signal ? `was ended by the signal ${signal}` : `exited with code ${code}`
}

function killGroup(pid: number | undefined) {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // No process of the group is left.
  }
}
