// What clients can do with schedules: create, replace, delete, pause, resume, run and preview them.
import { AppError } from '../base/errors.ts'
import { pointerOf } from '../base/faults.ts'
import { newId } from '../base/uuidv7.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { holdOf } from '../definitions/limits.ts'
import type { Registry } from '../definitions/registry.ts'
import { completeSchedule, faultsOfSchedule, type Schedule, timingOf } from '../definitions/schedule.ts'
import { nextTick, nextTicks } from '../definitions/schedule-times.ts'
import { localTextOf } from '../definitions/time-zone.ts'
import { uniquenessOf } from '../definitions/uniqueness.ts'
import type { NewTask, UniqueTask } from '../store/new-tasks.ts'
import type { ScheduleRun, ScheduleStore } from '../store/schedule-store.ts'
import type { ScheduleRow } from '../store/schedule-tables.ts'
import type { Events } from '../telemetry/events.ts'
import type { Enqueuer } from './enqueuer.ts'
import type { AcceptedTask } from './insert-once.ts'
import {
  checkName,
  faultOfTimes,
  MEMBER_NAMES,
  requireTimes,
  scheduleInCode,
  unknownSchedule,
} from './schedule-faults.ts'
import { acceptedOf } from './submit.ts'
import { parseInput } from './task-input.ts'

/** A schedule as a client gives it. */
export type GivenSchedule = Omit<Schedule, 'name'> & { definition: string }

/** A tick: its instant, and the local time in the time zone of the schedule, with its UTC offset. */
export interface TickPreview {
  at: Date
  localTime: string
}

/** A stored schedule, and why it makes no tasks now; null if it does. */
export interface KnownSchedule {
  row: ScheduleRow
  problem: string | null
}

export interface ScheduleService {
  list(page: { after?: string; limit: number }): Promise<{ schedules: KnownSchedule[]; next: string | null }>
  /** @throws AppError `unknown_schedule`; so do all functions that are given a name */
  get(name: string): Promise<KnownSchedule & { runs: ScheduleRun[] }>
  /**
   * Creates a schedule, or replaces the one with this name, which keeps its pause.
   * @throws AppError `invalid_input`, `schedule_in_code`
   */
  put(name: string, given: GivenSchedule): Promise<KnownSchedule & { isNew: boolean }>
  /** @throws AppError `schedule_in_code` */
  remove(name: string): Promise<void>
  /** Until `resume`, the schedule makes no tasks. Repeating it changes nothing. */
  pause(name: string): Promise<KnownSchedule>
  /** Ends the pause. Ticks during the pause are not caught up. @throws AppError `schedule_refused` */
  resume(name: string): Promise<KnownSchedule>
  /**
   * Makes a task of the schedule now, also if it is paused or if a task of it has not ended. The task counts
   * for the overlaps of later ticks. A unique task can meet another one instead, whose id the result then has.
   * @throws AppError `schedule_refused`, `outcome_unknown`
   */
  run(name: string, origin: Pick<NewTask, 'requestId' | 'traceparent'>): Promise<AcceptedTask>
  /** Returns the next ticks of a schedule, as if it were not paused. @throws AppError `schedule_refused` */
  preview(name: string, count: number): Promise<TickPreview[]>
  /** Returns the next ticks that a schedule would have. @throws AppError `invalid_input` */
  previewOf(given: GivenSchedule, count: number): Promise<TickPreview[]>
}

// Number of runs that are shown with a schedule.
const SHOWN_RUNS = 20
// How often a resume is tried. It fails if the schedule changes between two statements.
const RESUME_TRIES = 10

export function createScheduleService({
  registry,
  store,
  enqueuer,
  events,
}: {
  registry: Registry
  store: ScheduleStore
  enqueuer: Pick<Enqueuer, 'hold'>
  events: Events
}): ScheduleService {
  return {
    async list(page) {
      const { rows, next } = await store.list(page)
      return { schedules: rows.map(known), next }
    },

    async get(name) {
      const row = await find(name)
      return { ...known(row), runs: await store.runsOf(name, SHOWN_RUNS) }
    },

    async put(name, given) {
      checkName(name)
      if (registry.schedules.has(name)) throw scheduleInCode(name)
      check(given)
      const { definition, ...schedule } = given
      const complete = completeSchedule(definition, { ...schedule, name })
      const nextMs = nextTick(timingOf(complete), await store.nowMs())
      const written = await store.put(complete, nextMs)
      if (!written) throw scheduleInCode(name)
      return { ...known(await find(name)), ...written }
    },

    async remove(name) {
      checkName(name)
      if (await store.remove(name)) return
      await find(name)
      throw scheduleInCode(name)
    },

    async pause(name) {
      checkName(name)
      if (!(await store.pause(name))) throw unknownSchedule(name)
      return known(await find(name))
    },

    async resume(name) {
      for (let tries = 0; tries < RESUME_TRIES; tries++) {
        const row = await find(name)
        requireTimes(row)
        const nextMs = nextTick(timingOf(row), await store.nowMs())
        if (await store.resume(name, row.version, nextMs)) return known(await find(name))
      }
      throw new AppError('unavailable', `Schedule "${name}" is changing all the time; try again`)
    },

    async run(name, origin) {
      const row = await find(name)
      const task = newTask(row, origin)
      if (task.unique) return runUnique(name, { ...task, unique: task.unique })
      if (!(await store.run(name, task))) throw unknownSchedule(name)
      events.emit('tasks.accepted', { tasks: [task] })
      return task
    },

    async preview(name, count) {
      const row = await find(name)
      requireTimes(row)
      return ticksOf(row, count)
    },

    async previewOf(given, count) {
      check(given)
      const { definition, ...schedule } = given
      return ticksOf(completeSchedule(definition, { ...schedule, name: '' }), count)
    },
  }

  async function find(name: string): Promise<ScheduleRow> {
    checkName(name)
    const row = await store.find(name)
    if (!row) throw unknownSchedule(name)
    return row
  }

  async function runUnique(name: string, task: UniqueTask): Promise<AcceptedTask> {
    const result = await store.runUnique(name, task)
    if (!result) throw unknownSchedule(name)
    if (result.created) events.emit('tasks.accepted', { tasks: [result.created] })
    enqueuer.hold(result.toHold)
    return acceptedOf(task, result)
  }

  function known(row: ScheduleRow): KnownSchedule {
    return { row, problem: problemOf(row) }
  }

  /** Describes why the schedule makes no tasks in this version of the code; null if it does. */
  function problemOf(row: ScheduleRow): string | null {
    const { definition: name, input } = row
    const fault = faultOfTimes(row)
    if (fault !== undefined) return fault
    const definition = registry.find(name)
    if (!definition) return `There is no task "${name}" in this version of the code`
    try {
      taskPartsOf(definition, input)
      return null
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      const faults = error.faults.map(({ pointer, detail }) => `${pointer}: ${detail}`)
      return [error.message, ...faults].join('; ')
    }
  }

  /** @throws AppError `invalid_input` with a pointer for each fault */
  function check(given: GivenSchedule): void {
    const faults = faultsOfSchedule(given).map(({ member, detail }) => ({
      pointer: pointerOf([MEMBER_NAMES[member]]),
      detail,
    }))
    const definition = registry.submittable.find(({ name }) => name === given.definition)
    if (!definition)
      faults.push({ pointer: '#/definition', detail: 'must be the name of a task that clients may submit' })
    if (faults.length > 0) throw new AppError('invalid_input', 'The schedule is not valid', { faults })
    if (definition) taskPartsOf(definition, given.input)
  }

  function newTask(row: ScheduleRow, origin: Pick<NewTask, 'requestId' | 'traceparent'>): NewTask {
    const problem = problemOf(row)
    const definition = registry.find(row.definition)
    if (problem !== null || !definition)
      throw new AppError('schedule_refused', `Schedule "${row.name}" makes no tasks: ${problem}`)
    const parts = taskPartsOf(definition, row.input)
    const createdAt = new Date()
    return {
      ...origin,
      id: newId(createdAt.getTime()),
      name: definition.name,
      queue: definition.queue,
      ...parts,
      maxRetries: definition.maxRetries,
      timeoutMs: definition.timeoutMs,
      isIsolated: definition.isolate !== undefined,
      tags: [],
      createdAt,
    }
  }

  async function ticksOf(schedule: Parameters<typeof timingOf>[0], count: number): Promise<TickPreview[]> {
    const ticks = nextTicks(timingOf(schedule), await store.nowMs(), count)
    const zone = schedule.timeZone ?? 'UTC'
    return ticks.map((tickMs) => ({ at: new Date(tickMs), localTime: localTextOf(zone, tickMs) }))
  }
}

/**
 * Returns what a task has because of its input.
 * @throws AppError `invalid_input` if the definition or one of its `key` functions does not accept the input
 */
function taskPartsOf(definition: TaskDefinition, given: unknown) {
  const input = parseInput(definition, given, ['input'])
  return {
    input,
    inputText: JSON.stringify(input),
    hold: holdOf(definition, input),
    unique: uniquenessOf(definition, input),
  }
}
