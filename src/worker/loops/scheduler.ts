// Makes the tasks of schedules. Every worker does this for the definitions that it has. No worker is elected:
// the statement that makes the tasks of a tick moves its schedule on.
import { isAppError, messageOf } from '../../base/errors.ts'
import { faultsOf } from '../../base/faults.ts'
import { type Loop, startLoop } from '../../base/loop.ts'
import { newId } from '../../base/uuidv7.ts'
import { holdOf } from '../../definitions/limits.ts'
import type { Registry } from '../../definitions/registry.ts'
import { jitterMsOf } from '../../definitions/schedule-times.ts'
import { uniquenessOf } from '../../definitions/uniqueness.ts'
import type { CodeSchedules } from '../../store/code-schedules.ts'
import type {
  DueSchedule,
  DueScheduleStore,
  DueSchedules,
  MadeTasks,
  Move,
} from '../../store/due-schedules.ts'
import type { Events } from '../../telemetry/events.ts'
import { decideTicks, MISSED_AFTER_MS } from './due-ticks.ts'

export interface SchedulerDependencies {
  store: DueScheduleStore
  codeSchedules: CodeSchedules
  registry: Registry
  /** Called when tasks were made, with the milliseconds until the first of them is due. */
  onMade: (delayMs: number) => void
  /** Holds tasks that are marked as enqueued. */
  hold: (tasks: MadeTasks['toHold']) => Promise<void>
  /** Whether no worker with other code runs, see `WorkerOptions`. */
  isOnlyVersion: boolean
  events: Events
  intervalMs: number
}

// Maximum number of schedules per query.
const BATCH = 250
// Limits of one statement: tasks, and the length of their inputs as JSON.
const MAX_TASKS = 500
const MAX_INPUTS = 4 * 1_024 * 1_024
// How often a worker reports the version of its schedules, and compares it with those of others.
const FOLLOW_MS = 5_000
// How long a schedule whose tasks cannot be made is left alone. Whether an input is valid can depend on the
// time.
const REFUSED_MS = 60_000
// Pause after a round in which other workers made the tasks of all due schedules.
const BUSY_MS = 50

export function startScheduler(dependencies: SchedulerDependencies): Loop {
  const { store, codeSchedules, registry, onMade, hold, isOnlyVersion, events, intervalMs } = dependencies
  const names = registry.all.map(({ name }) => name)
  const refused = new Map<string, { version: number; untilMs: number }>()
  const seed = Math.floor(Math.random() * 2 ** 31)
  let followedMs = Number.NEGATIVE_INFINITY
  return startLoop({
    intervalMs,
    async body(stopping) {
      // Ticks do not wait for it.
      await followCode().catch((error) =>
        events.emit('error.transient', { where: 'schedules of the code', error }),
      )
      for (;;) {
        const found = await store.findDue(names, { refused: refusedNow(), limit: BATCH, seed })
        const { isProgress, nextInMs } = await makeTasks(found)
        if (found.due.length < BATCH || stopping.aborted) return nextInMs
        if (!isProgress) return BUSY_MS
      }
    },
    onError: (error) => events.emit('error.transient', { where: 'scheduler', error }),
  })

  async function followCode() {
    if (performance.now() - followedMs < FOLLOW_MS) return
    const isFirst = followedMs === Number.NEGATIVE_INFINITY
    await codeSchedules.follow([...registry.schedules.values()], { isNewest: isFirst && isOnlyVersion })
    followedMs = performance.now()
  }

  function refusedNow() {
    for (const [name, { untilMs }] of refused) if (performance.now() >= untilMs) refused.delete(name)
    return [...refused].map(([name, { version }]) => ({ name, version }))
  }

  /** @returns milliseconds until the next tick, and whether any schedule was moved on or refused */
  async function makeTasks({ due, nowMs, nextInMs }: DueSchedules) {
    const moves = due.flatMap((schedule) => moveOrRefuse(schedule, nowMs))
    let isProgress = moves.length < due.length
    // Apart from plain tasks, which must not wait for locks of keys.
    const isUnique = ({ tasks }: Move) => tasks.some(({ unique }) => unique)
    const plain = batchesOf(moves.filter((move) => !isUnique(move)))
    for (const batch of [...plain, ...batchesOf(moves.filter(isUnique))])
      if (await write(batch, nowMs)) isProgress = true
    const next = [...moves.map(({ nextMs }) => nextMs - nowMs), ...(nextInMs === null ? [] : [nextInMs])]
    return { isProgress, nextInMs: Math.ceil(Math.min(intervalMs, ...next)) }
  }

  /** Returns nothing if the tasks of the schedule cannot be made here. This must not stop other schedules. */
  function moveOrRefuse(schedule: DueSchedule, nowMs: number): Move[] {
    try {
      return moveOf(schedule, nowMs)
    } catch (error) {
      // For example, this version of Node does not know its time zone.
      refuse(schedule, messageOf(error))
      return []
    }
  }

  /** Returns the tasks of the due ticks; nothing if the definition does not accept the input. */
  function moveOf(schedule: DueSchedule, nowMs: number): Move[] {
    const { name, version, jitterSeconds } = schedule
    const definition = registry.find(schedule.definition)
    const parsed = definition?.input.safeParse(schedule.input)
    if (!definition || !parsed?.success) {
      const faults = parsed?.error ? faultsOf(parsed.error, ['input']) : []
      refuse(schedule, faults.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '))
      return []
    }
    const { ticks, ...decision } = decideTicks(schedule, nowMs)
    const tasks = ticks.map((tickMs) => {
      const createdAt = new Date()
      const isLate = nowMs - tickMs > MISSED_AFTER_MS || tickMs === schedule.waitingMs
      return {
        tickMs,
        id: newId(createdAt.getTime()),
        name: definition.name,
        queue: definition.queue,
        input: parsed.data,
        inputText: JSON.stringify(parsed.data),
        maxRetries: definition.maxRetries,
        timeoutMs: definition.timeoutMs,
        isIsolated: definition.isolate !== undefined,
        tags: [],
        createdAt,
        hold: holdOf(definition, parsed.data),
        unique: uniquenessOf(definition, parsed.data),
        runAt: new Date((isLate ? nowMs : tickMs) + jitterMsOf(name, tickMs, jitterSeconds)),
      }
    })
    return [{ ...decision, name, version, tasks }]
  }

  /**
   * Writes moves in one statement. If it fails, writes each of them alone, so that a schedule whose tasks
   * cannot be written does not stop the others.
   * @returns whether any schedule was moved on or refused
   * @throws AppError `unavailable`
   */
  async function write(moves: Move[], nowMs: number): Promise<boolean> {
    try {
      const { moved, made, toHold } = await store.makeTasks(moves)
      announce(
        moves.filter(({ name }) => moved.has(name)),
        made,
        nowMs,
      )
      // If this fails, the reconciler of a worker later finds that the tasks are not in Redis.
      await hold(toHold).catch((error) =>
        events.emit('error.transient', { where: 'holding tasks of schedules', error }),
      )
      return moved.size > 0
    } catch (error) {
      if (isAppError(error, 'unavailable')) throw error
      const [first, ...others] = moves as [Move, ...Move[]]
      if (others.length === 0) {
        refuse(first, messageOf(error))
        return true
      }
      let isProgress = false
      for (const move of moves) if (await write([move], nowMs)) isProgress = true
      return isProgress
    }
  }

  function announce(moves: Move[], made: MadeTasks['made'], nowMs: number) {
    for (const { name, skipped, tasks } of moves) {
      const count = tasks.filter(({ id }) => made.has(id)).length
      events.emit('schedule.ticked', {
        schedule: name,
        made: count,
        skipped: skipped + tasks.length - count,
      })
    }
    const tasks = [...made.values()]
    if (tasks.length === 0) return
    events.emit('tasks.accepted', { tasks })
    onMade(Math.max(0, Math.min(...tasks.map(({ runAt }) => runAt?.getTime() ?? 0)) - nowMs))
  }

  /**
   * Leaves a schedule alone for a while. Its ticks stay due: a worker with other code can make their tasks.
   */
  function refuse({ name, version }: { name: string; version: number }, problem: string) {
    refused.set(name, { version, untilMs: performance.now() + REFUSED_MS })
    events.emit('schedule.refused', { schedule: name, problem })
  }
}

/** Divides moves into parts that one statement can write. */
function batchesOf(moves: Move[]): Move[][] {
  const batches: Move[][] = []
  let [count, size] = [Number.POSITIVE_INFINITY, 0]
  for (const move of moves) {
    const length = move.tasks.reduce((sum, { inputText = '' }) => sum + inputText.length, 0)
    if (count + move.tasks.length > MAX_TASKS || size + length > MAX_INPUTS) {
      batches.push([])
      count = 0
      size = 0
    }
    batches.at(-1)?.push(move)
    count += move.tasks.length
    size += length
  }
  return batches
}
