// A process of a supervisor, from its fork to its end.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type Answers, createLink } from './link.ts'

export interface ManagedProcess {
  /** Process id; undefined if the operating system could not start the process. */
  readonly pid: number | undefined
  /** Name in log lines and health checks, e.g. `worker process 2`. */
  readonly name: string
  /** Id of the worker that runs in the process; undefined for an API process. */
  readonly workerId?: string
  readonly isReady: boolean
  /** Value of `performance.now()` at the fork. */
  readonly startedMs: number
  /** Resolves with true when the process is ready, and with false if it ends before. */
  readonly ready: Promise<boolean>
  /** Resolves when the process has ended. */
  readonly ended: Promise<ProcessEnd>
  /** See `Link.ask`. */
  ask(question: string, limitMs: number): Promise<unknown>
  /** Sends a notice, see `Link.notify`. */
  notify(notice: string, value: unknown): Promise<void>
  /** Asks the process to stop in order, because another one has taken its place. */
  replace(): void
  /** Sends SIGTERM: the process stops in order; during its start it ends at once. */
  terminate(): void
  kill(): void
}

export interface ProcessEnd {
  code: number | null
  signal: string | null
  /** Whether the process has said that it stopped in order. */
  hasStopped: boolean
  /** False if a worker that stopped in order could not release all of its tasks. */
  hasReleasedAll?: boolean
  /** Why the operating system could not start the process. */
  error?: unknown
  /** The counters and histograms of the process when it stopped in order. */
  metrics?: unknown
}

// How long the channel of a process that has ended may stay open. Its end follows immediately, unless a
// program that the process started holds the channel.
const CHANNEL_MS = 1_000

/** What a process says when it has stopped in order. */
export interface StopReport {
  metrics?: unknown
  hasReleasedAll?: boolean
}

/** Notices from a process to its supervisor. */
export const READY = 'ready'
export const STOPPED = 'stopped'
/** Notice from a supervisor to a process that has been replaced. */
export const REPLACED = 'replaced'

export interface ManagedProcessOptions {
  name: string
  workerId?: string
  answers?: Answers
  /** Called with the value of the notice `ready`: the URL of an API process. */
  onReady?: (url: unknown) => void
}

/** @param startChild starts the process; it may throw */
export function manageProcess(
  startChild: () => ChildProcess,
  options: ManagedProcessOptions,
): ManagedProcess {
  try {
    return manage(startChild(), options)
  } catch (error) {
    return notStarted(error, options)
  }
}

function manage(child: ChildProcess, options: ManagedProcessOptions): ManagedProcess {
  const { name, workerId, answers = {}, onReady } = options
  let isReady = false
  let stopped: StopReport | undefined
  const ready = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<ProcessEnd>()
  const link = createLink(
    {
      // The callback receives the error of a closed channel. Without a callback, Node would emit the error.
      send: (message, onSent) => void child.send(message as object, () => onSent?.()),
      listen: (listener) => child.on('message', listener),
    },
    { answers, onNotice },
  )
  // A process that could not be started has no id and emits no 'exit'. All other errors (of a signal or of a
  // message) are followed by its end.
  child.on('error', (error) => {
    if (child.pid === undefined) end(null, null, error)
  })
  child.once('exit', async (code, signal) => {
    // Messages can arrive after 'exit', e.g. that the process stopped in order. They end with the channel.
    if (child.connected)
      await once(child, 'disconnect', { signal: AbortSignal.timeout(CHANNEL_MS) }).catch(() => {})
    end(code, signal)
  })
  return {
    pid: child.pid,
    name,
    workerId,
    get isReady() {
      return isReady
    },
    startedMs: performance.now(),
    ready: ready.promise,
    ended: ended.promise,
    ask: link.ask,
    notify: link.notify,
    replace: () => void link.notify(REPLACED),
    terminate: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  }

  function onNotice(notice: string, value: unknown) {
    if (notice === STOPPED) stopped = (value ?? {}) as StopReport
    if (notice !== READY) return
    isReady = true
    onReady?.(value)
    ready.resolve(true)
  }

  function end(code: number | null, signal: string | null, error?: unknown) {
    ready.resolve(false)
    ended.resolve({ code, signal, error, hasStopped: stopped !== undefined, ...stopped })
  }
}

/**
 * A process that could not be started. `fork` throws some errors of the operating system, and emits the
 * others.
 */
function notStarted(error: unknown, { name, workerId }: ManagedProcessOptions): ManagedProcess {
  return {
    pid: undefined,
    name,
    workerId,
    isReady: false,
    startedMs: performance.now(),
    ready: Promise.resolve(false),
    ended: Promise.resolve({ code: null, signal: null, error, hasStopped: false }),
    ask: async () => undefined,
    notify: async () => {},
    replace() {},
    terminate() {},
    kill() {},
  }
}
