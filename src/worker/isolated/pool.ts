// The isolated processes of a worker. Their number never exceeds `size`; processes that were killed count
// until they have ended.
import {
  describeEnd,
  type IsolatedProcess,
  type ProcessEnd,
  startIsolatedProcess,
} from './isolated-process.ts'
import { SERVICES_FAILED, type StrayError } from './protocol.ts'
import { createReaper } from './reaper.ts'

export interface Pool {
  /**
   * Returns a process that has loaded the definitions and is free. Starts one if none is free, and waits if
   * all are in use. Resolves with null when the signal aborts or the pool has stopped.
   * @throws StartError if a started process has ended before it was ready
   */
  take(signal: AbortSignal): Promise<IsolatedProcess | null>
  /** Gives back a process after an attempt. A spent one is killed. */
  giveBack(process: IsolatedProcess): void
  /** Kills all processes. Resolves when they have ended. */
  stop(): Promise<void>
}

export interface PoolOptions {
  script: string
  size: number
  /**
   * True keeps `size` processes ready: starts them now, and replaces those that end. False starts a process
   * when it is needed, and ends it when it has been idle for a minute.
   */
  isStartedAhead: boolean
  onReady: (process: IsolatedProcess, names: string[]) => void
  /** Called when a process could not be started. */
  onStartError: (error: StartError) => void
  /** Called with an error of code that an earlier attempt of a free process has left behind. */
  onIdleError: (error: StrayError, process: IsolatedProcess) => void
}

/** A process could not be started, or ended before it had loaded the definitions. */
export class StartError extends Error {
  readonly stderr: string
  /**
   * True if a later start may succeed: the operating system could not start or keep the process, for example
   * because it has no memory left, or the services of the project could not be opened. False if the definitions
   * could not be loaded.
   */
  readonly isTransient: boolean

  constructor(end: ProcessEnd) {
    super(`The isolated process could not be started: ${describeEnd(end)}`)
    this.name = 'IsolatedStartError'
    this.stderr = end.stderr
    this.isTransient =
      !end.isTooSlow && (end.error !== undefined || end.signal !== null || end.code === SERVICES_FAILED)
  }
}

const IDLE_MS = 60_000

export function createPool(options: PoolOptions): Pool {
  const { script, size, isStartedAhead, onReady, onStartError, onIdleError } = options
  const all = new Set<IsolatedProcess>()
  const idle: IsolatedProcess[] = []
  const idleTimers = new WeakMap<IsolatedProcess, NodeJS.Timeout>()
  const reaper = createReaper()
  let waiters: (() => void)[] = []
  let isStopped = false
  if (isStartedAhead) fill()

  return {
    async take(signal) {
      while (!isStopped && !signal.aborted) {
        const free = takeIdle() ?? (all.size < size ? start() : undefined)
        if (!free) await untilFree(signal)
        else if (await free.ready) return free
        else throw new StartError(await free.ended)
      }
      return null
    },
    giveBack(process) {
      if (process.isSpent || isStopped) process.kill()
      else park(process)
    },
    async stop() {
      isStopped = true
      wakeAll()
      for (const process of all) process.kill()
      await Promise.all([...all].map(({ ended }) => ended))
      reaper.stop()
    },
  }

  /** Prefers a process that is ready to one that still loads the definitions. */
  function takeIdle(): IsolatedProcess | undefined {
    const process = idle.findLast(({ isReady }) => isReady) ?? idle.at(-1)
    if (process) unpark(process)
    return process
  }

  function start(): IsolatedProcess {
    const process = startIsolatedProcess(script, (error, process) => {
      // The state of the process is not known any more.
      process.kill()
      onIdleError(error, process)
    })
    all.add(process)
    void process.ready.then(async (names) => {
      if (names) onReady(process, names)
      else if (!isStopped) onStartError(new StartError(await process.ended))
    })
    void process.ended.then(() => {
      all.delete(process)
      unpark(process)
      watchGroups()
      // A process that never was ready is not replaced here: its successor would end in the same way.
      if (isStartedAhead && process.isReady) fill()
      wakeAll()
    })
    watchGroups()
    return process
  }

  function fill() {
    while (!isStopped && all.size < size) park(start())
  }

  function park(process: IsolatedProcess) {
    idle.push(process)
    if (!isStartedAhead) idleTimers.set(process, setTimeout(process.kill, IDLE_MS).unref())
    wakeAll()
  }

  function unpark(process: IsolatedProcess) {
    clearTimeout(idleTimers.get(process))
    const place = idle.indexOf(process)
    if (place >= 0) idle.splice(place, 1)
  }

  function untilFree(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      waiters.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  function wakeAll() {
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }

  function watchGroups() {
    reaper.watch([...all].flatMap(({ pid }) => pid ?? []))
  }
}
