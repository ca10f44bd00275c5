// One slot of a supervisor: the place of one process, which is started again when it dies, and replaced on
// request. The states of a slot:
//
//   idle --start--> starting --ready--> running --replace--> running, with a successor that starts
//                     |  ^                |                     |  the successor is ready: it takes the place,
//                died |  | after a pause  | died                |  and the old process stops in order
//                     v  |                |                     |  the successor died: the old process stays
//                   waiting <-------------+                     |  the old process died: the successor takes
//                                                               v  its place
//   any state --stop--> stopped: all processes of the slot end, and none is started again
//
// If a process ends before any process of its slot has been ready, none is started again (`onFailedStart`).
import type { ManagedProcess, ProcessEnd } from './managed-process.ts'
import type { ProcessLog } from './process-log.ts'

export interface Slot {
  readonly name: string
  readonly state: SlotState
  /** The process in this place; null while none runs. */
  readonly current: ManagedProcess | null
  /** All processes of the slot: also the successor, and replaced ones that stop. */
  processes(): ManagedProcess[]
  /** Starts the first process. Resolves with false if it ended before it was ready. */
  start(): Promise<boolean>
  /**
   * Starts another process, and stops the current one in order when the new one is ready. Resolves when the
   * current one has ended: with true if it was replaced; with false if it was not, because the slot is not
   * running, or the new process was not ready within `READY_LIMIT_MS`. The current process then stays.
   */
  replace(): Promise<boolean>
  /**
   * Stops all processes in order. Resolves when they have ended: with false if one of them did not stop in
   * order.
   */
  stop(): Promise<boolean>
  /** Ends all processes immediately. Resolves when they have ended. */
  kill(): Promise<void>
}

export type SlotState = 'idle' | 'starting' | 'running' | 'waiting' | 'stopped'

export interface SlotOptions {
  name: string
  fork: () => ManagedProcess
  log: ProcessLog
  /** How long a process may take to stop in order, in milliseconds. Then it is killed. */
  stopLimitMs: number
  /** Called for the end of every process, also of an orderly one. */
  onEnd: (process: ManagedProcess, end: ProcessEnd) => void
  /** The slot has never been ready and its process has ended. */
  onFailedStart: (end: ProcessEnd) => void
}

// The first restart is immediate. Further ones wait, so that a process that dies at every start does not use
// all CPU time. The first pauses are short: several tasks in a row can each end their worker, once per task.
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 10_000
// A process that has run this long was started successfully: after its death the pauses begin again.
const STABLE_MS = 60_000
// How long a replacement may take until it is ready. A start takes seconds, on a busy machine tens of
// seconds.
const READY_LIMIT_MS = 120_000

export function createSlot(options: SlotOptions): Slot {
  const { name, fork, log, stopLimitMs, onEnd, onFailedStart } = options
  const all = new Set<ManagedProcess>()
  let state: SlotState = 'idle'
  let current: ManagedProcess | null = null
  let successor: ManagedProcess | null = null
  let hasBeenReady = false
  let deaths = 0
  let hasStoppedInOrder = true
  let restart: NodeJS.Timeout | undefined

  return {
    name,
    get state() {
      return state
    },
    get current() {
      return current
    },
    processes: () => [...all],
    start,
    replace,
    async stop() {
      state = 'stopped'
      clearTimeout(restart)
      await Promise.all([...all].map((process) => stopInOrder(process, process.terminate)))
      return hasStoppedInOrder
    },
    async kill() {
      state = 'stopped'
      clearTimeout(restart)
      for (const process of all) process.kill()
      await Promise.all([...all].map(({ ended }) => ended))
    },
  }

  function start(): Promise<boolean> {
    state = 'starting'
    current = begin()
    return current.ready
  }

  function begin(): ManagedProcess {
    const process = fork()
    all.add(process)
    if (hasBeenReady) limitStart(process)
    void process.ready.then((isReady) => isReady && onReady(process))
    void process.ended.then((end) => handleEnd(process, end))
    return process
  }

  /** Kills a process that is not ready in time, so that another one is started. */
  function limitStart(process: ManagedProcess) {
    const tooLate = setTimeout(() => {
      const message = `a new process was not ready within ${READY_LIMIT_MS / 1_000} s`
      log.error({ process: name, pid: process.pid }, message)
      process.kill()
    }, READY_LIMIT_MS)
    void process.ready.then(() => clearTimeout(tooLate))
  }

  function onReady(process: ManagedProcess) {
    hasBeenReady = true
    if (process === current && state === 'starting') state = 'running'
  }

  function handleEnd(process: ManagedProcess, end: ProcessEnd) {
    all.delete(process)
    onEnd(process, end)
    if (state === 'stopped') {
      // A process that has not been ready has nothing to stop.
      if (process.isReady && (!end.hasStopped || end.code !== 0)) hasStoppedInOrder = false
    } else if (process === successor) successor = null
    else if (process === current) handleDeath(process, end)
  }

  function handleDeath(process: ManagedProcess, end: ProcessEnd) {
    current = null
    if (!hasBeenReady) {
      state = 'stopped'
      return onFailedStart(end)
    }
    if (successor) return promote(successor)
    if (performance.now() - process.startedMs >= STABLE_MS) deaths = 0
    const pauseMs = deaths === 0 ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (deaths - 1))
    deaths++
    state = 'waiting'
    restart = setTimeout(start, pauseMs)
  }

  /** Gives the place to the successor. */
  function promote(process: ManagedProcess) {
    successor = null
    current = process
    state = process.isReady ? 'running' : 'starting'
  }

  async function replace(): Promise<boolean> {
    const old = current
    if (state !== 'running' || !old || successor) return false
    const next = begin()
    successor = next
    const isReady = await next.ready
    if (!isReady || isStopped()) return false
    // If the old process died meanwhile, the successor already has its place.
    if (successor === next) promote(next)
    await stopInOrder(old, old.replace)
    return true
  }

  // A function, because `state` changes while `replace` waits, which TypeScript does not see.
  function isStopped() {
    return state === 'stopped'
  }

  async function stopInOrder(process: ManagedProcess, request: () => void): Promise<void> {
    request()
    const limit = setTimeout(() => {
      log.error({ process: name, pid: process.pid }, 'a process did not stop in time and is killed')
      process.kill()
    }, stopLimitMs)
    await process.ended
    clearTimeout(limit)
  }
}
