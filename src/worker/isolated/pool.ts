// The isolated processes of a worker. Their number never exceeds `size`; processes that were killed count until
// they have ended.
import { type IsolatedProcess, type ProcessEnd, startIsolatedProcess } from './isolated-process.ts'
import type { StrayError } from './protocol.ts'
import { createReaper } from './reaper.ts'

export interface Pool {
  /**
   * Returns a process that has loaded the definitions and is free. Starts one if none is free, and waits if all
   * are in use.
   * @throws StartError if a started process has ended before it was ready
   */
  take(): Promise<IsolatedProcess>
  /** Gives back a process after an attempt. A spent one is killed and replaced. */
  giveBack(process: IsolatedProcess): void
  /** Number of processes that run an attempt. */
  readonly busy: number
  /** Kills all processes. Resolves when they have ended. */
  stop(): Promise<void>
}

export interface PoolOptions {
  script: string
  size: number
  /**
   * True starts all processes now, and replaces them immediately. False starts a process when it is needed, and
   * ends it when it has been idle for a minute.
   */
  isStartedAhead: boolean
  /** Called with the names of the definitions that a process has loaded. */
  onReady: (names: string[]) => void
  /** Called when a process could not be started. */
  onStartError: (error: StartError) => void
  /** Called with an error of code that an earlier attempt of a free process has left behind. */
  onIdleError: (error: StrayError) => void
}

/** A process could not be started, or ended before it had loaded the definitions. */
export class StartError extends Error {
  readonly stderr: string

  constructor({ code, signal, stderr, error }: ProcessEnd) {
    const reason = error ? error.message : signal ? `ended by ${signal}` : `exited with code ${code}`
    super(`The isolated process could not be started: ${reason}`)
    this.name = 'IsolatedStartError'
    this.stderr = stderr
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
  let busy = 0
  let isStopped = false
  if (isStartedAhead) fill()

  return {
    async take() {
      for (;;) {
        const free = idle.pop() ?? (all.size < size ? start() : undefined)
        if (isStopped) throw new Error('The worker has stopped its isolated processes')
        if (free) return await taken(free)
        await new Promise<void>((resolve) => waiters.push(resolve))
      }
    },
    giveBack(process) {
      busy--
      if (process.isSpent || isStopped) process.kill()
      else park(process)
    },
    get busy() {
      return busy
    },
    async stop() {
      isStopped = true
      wakeAll()
      for (const process of all) process.kill()
      await Promise.all([...all].map(({ ended }) => ended))
      reaper.stop()
    },
  }

  async function taken(process: IsolatedProcess): Promise<IsolatedProcess> {
    clearTimeout(idleTimers.get(process))
    busy++
    if (await process.ready) return process
    busy--
    throw new StartError(await process.ended)
  }

  function start(): IsolatedProcess {
    const process = startIsolatedProcess(script, (error) => {
      // The state of the process is not known any more.
      process.kill()
      onIdleError(error)
    })
    all.add(process)
    watchGroups()
    void process.ready.then(async (names) => {
      if (names) onReady(names)
      else if (!isStopped) onStartError(new StartError(await process.ended))
    })
    void process.ended.then(() => {
      all.delete(process)
      const place = idle.indexOf(process)
      if (place >= 0) idle.splice(place, 1)
      watchGroups()
      // A process that never was ready is not replaced here: it would end again and again.
      if (isStartedAhead && process.attempts > 0) fill()
      wakeAll()
    })
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

  function wakeAll() {
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }

  function watchGroups() {
    reaper.watch([...all].flatMap(({ pid }) => pid ?? []))
  }
}
