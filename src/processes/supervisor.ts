// Runs the processes of a command: starts them, starts them again when they die, replaces them one after the
// other, and stops them in order. Imports little, because every command with several processes pays its
// memory.
import { messageOf } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import type { ManagedProcess, ProcessEnd } from './managed-process.ts'
import { watchMemory } from './memory-limit.ts'
import type { ProcessLog } from './process-log.ts'
import { createSlot, type Slot } from './slot.ts'

/** A kind of process: `api` or `worker`. */
export interface Role {
  name: string
  /** Number of processes. */
  count: number
  /**
   * Starts a process. `number` counts from 1, and a process that takes the place of another has its number.
   */
  fork: (number: number) => ManagedProcess
  /** How long a process may take to stop in order, in milliseconds. Then it is killed. */
  stopLimitMs: number
  /** Resident memory above which a process is replaced, in bytes. Undefined: no limit. */
  maxMemoryBytes?: number
}

export interface SupervisorOptions {
  roles: Role[]
  log: ProcessLog
  /**
   * Puts back the tasks of a worker that has ended, and resolves with them. `isCrash`: one of them may have
   * ended it. It is called again every second while it rejects, for ten minutes.
   */
  recover: (workerId: string, isCrash: boolean) => Promise<{ taskId: string; name: string }[]>
  /** Called for the end of every process. */
  onEnd?: (process: ManagedProcess, end: ProcessEnd) => void
}

export interface Supervisor {
  slots: Slot[]
  /**
   * Starts all processes. Resolves with true when they are ready. If one of them ends at its first start, the
   * others are not started again, and the promise resolves with false; then call `stop`.
   */
  start(): Promise<boolean>
  /** Resolves with the exit code of a process that ended before it had ever been ready. */
  readonly failed: Promise<number>
  /**
   * Replaces all processes, one after the other. Only one such restart runs at a time. Resolves with false if
   * another one runs, or if a new process did not start; then the old ones stay. Never rejects.
   */
  restart(): Promise<boolean>
  /** Stops all processes in order. Resolves with false if one of them did not stop in order. */
  stop(): Promise<boolean>
  /**
   * Ends all processes immediately. Resolves when they have ended. Their tasks are not put back here: other
   * workers do it when these count as missing.
   */
  kill(): Promise<void>
}

const RECOVERY_PAUSE_MS = 1_000
// Ten minutes or longer. Other workers recover the tasks too, when the crashed worker counts as missing.
const MAX_RECOVERIES = 600
// How long `stop` waits for recoveries. If it does not wait long enough, other workers recover the tasks.
const RECOVERY_LIMIT_MS = 5_000

export function createSupervisor({ roles, log, recover, onEnd }: SupervisorOptions): Supervisor {
  const stopping = new AbortController()
  const failed = Promise.withResolvers<number>()
  const recoveries = new Set<Promise<void>>()
  const places = roles.map((role) => ({ role, slots: slotsOf(role) }))
  const slots = places.flatMap((place) => place.slots)
  const memory = watchMemory({ places, log, replace: replaceAlone })
  let replacing: Promise<unknown> = Promise.resolve()
  let hasStarted = false
  let isRestarting = false
  let isKilled = false
  return { slots, start, failed: failed.promise, restart, stop, kill }

  function slotsOf({ name: role, count, fork, stopLimitMs }: Role): Slot[] {
    return Array.from({ length: count }, (_, index) =>
      createSlot({
        name: processName(role, index + 1, count),
        fork: () => fork(index + 1),
        log,
        stopLimitMs,
        onEnd: handleEnd,
        onFailedStart: ({ code }) => failed.resolve(code || 1),
      }),
    )
  }

  async function start(): Promise<boolean> {
    // The first process of a role starts alone, so that an error that all would meet is written once.
    const firsts = places.flatMap((place) => place.slots.slice(0, 1))
    for (const slot of firsts) if (!(await begin(slot))) return false
    const others = places.flatMap((place) => place.slots.slice(1))
    hasStarted = (await Promise.all(others.map(begin))).every(Boolean)
    if (hasStarted) log.info({ processes: slots.length }, 'all processes are ready')
    return hasStarted
  }

  async function begin(slot: Slot): Promise<boolean> {
    return !stopping.signal.aborted && (await slot.start())
  }

  function handleEnd(process: ManagedProcess, end: ProcessEnd) {
    onEnd?.(process, end)
    const { pid, name, isReady, workerId } = process
    if (end.hasStopped) {
      if (end.hasReleasedAll === false && workerId) remember(recoverTasks(workerId, false))
      if (!stopping.signal.aborted) log.info({ process: name, pid, code: end.code }, 'a process has stopped')
      return
    }
    // A process that ends during the first start has written itself why, and one that was not ready has
    // claimed no task.
    if (
      end.error === undefined &&
      !isReady &&
      (stopping.signal.aborted || (!hasStarted && end.signal === null))
    )
      return
    const { code, signal, error } = end
    if (error !== undefined)
      log.error({ process: name, error: messageOf(error) }, 'a process could not be started')
    else log.error({ process: name, pid, workerId, code, signal }, 'a process has died')
    if (isReady && workerId && !isKilled) remember(recoverTasks(workerId, true))
  }

  function remember(recovery: Promise<void>) {
    recoveries.add(recovery)
    void recovery.then(() => recoveries.delete(recovery))
  }

  async function recoverTasks(workerId: string, isCrash: boolean): Promise<void> {
    for (let failures = 0; failures < MAX_RECOVERIES; failures++) {
      try {
        const tasks = await recover(workerId, isCrash)
        if (tasks.length > 0) log.warn({ workerId, tasks }, 'the tasks of a crashed worker were put back')
        return
      } catch (error) {
        if (failures === 0)
          log.warn(
            { workerId, error: messageOf(error) },
            'the tasks of a crashed worker could not be put back yet',
          )
        await pause(RECOVERY_PAUSE_MS)
      }
    }
    log.error({ workerId }, 'the tasks of a crashed worker were not put back; other workers recover them')
  }

  async function restart(): Promise<boolean> {
    if (!hasStarted || isRestarting || stopping.signal.aborted) {
      log.warn({}, 'a rolling restart is ignored: processes start, stop, or are being restarted')
      return false
    }
    isRestarting = true
    log.info({}, 'a rolling restart begins')
    const isDone = await restartAll().finally(() => {
      isRestarting = false
    })
    if (isDone) log.info({}, 'the rolling restart has ended')
    else if (!stopping.signal.aborted)
      log.error({}, 'the rolling restart was given up: a new process did not start, and the old ones stay')
    return isDone
  }

  async function restartAll(): Promise<boolean> {
    for (const slot of slots) {
      // A process that starts now may have loaded the code from before this restart.
      if (slot.state === 'starting') await slot.current?.ready
      const isReplaced = await replaceAlone(slot)
      if (stopping.signal.aborted) return false
      // A slot that is not running has lost its process meanwhile, and gets a new one without this restart.
      if (!isReplaced && slot.state === 'running') return false
    }
    return true
  }

  /**
   * Replaces the process of a slot when all earlier replacements have ended: only one at a time costs memory.
   */
  function replaceAlone(slot: Slot): Promise<boolean> {
    const { current } = slot
    // If the process was replaced while this waited, it is not replaced once more.
    const replaced = replacing.then(() => slot.current !== current || slot.replace())
    replacing = replaced.catch(() => {})
    return replaced
  }

  async function stop(): Promise<boolean> {
    stopping.abort()
    memory.stop()
    const haveStopped = await Promise.all(slots.map((slot) => slot.stop()))
    await Promise.race([Promise.all(recoveries), pause(RECOVERY_LIMIT_MS)])
    return haveStopped.every(Boolean)
  }

  async function kill(): Promise<void> {
    isKilled = true
    stopping.abort()
    memory.stop()
    await Promise.all(slots.map((slot) => slot.kill()))
  }
}

/** Name of a process in log lines and health checks: with its number, if the role has several processes. */
export function processName(role: string, number: number, count: number): string {
  return count > 1 ? `${role} process ${number}` : `${role} process`
}
