// Writes events to standard output, as log lines in JSON.
import { pino } from 'pino'
import { messageOf } from '../base/errors.ts'
import type { Events } from './events.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/**
 * Members of every log line: the role of the process, and its number if the command has several processes.
 */
export interface LogOrigin {
  role: string
  process?: number
}

/**
 * Logs the events from now on. Events of single tasks and requests have the level `debug`; failures, retries,
 * refused results and the log lines that handlers write have a higher level.
 */
export function logEvents(events: Events, level: LogLevel, origin: LogOrigin): void {
  const log = pino({ level, base: origin, timestamp: pino.stdTimeFunctions.isoTime })
  const isFirstThisMinute = oncePer(60_000)
  const isFirstThisHour = oncePer(3_600_000)

  events.on('project.log', ({ message, fields }) => log.info(fields ?? {}, message))
  events.on('task.log', ({ message, fields, ...task }) => log.info({ ...fields, ...task }, message))
  events.on('attempt.lost', (task) => log.warn(task, 'attempt lost with its worker'))
  events.on('task.refused', (task) => log.warn(task, 'late result refused'))
  events.on('enqueue.failed', ({ count, error }) =>
    log.warn({ count, error: messageOf(error) }, 'could not enqueue tasks'),
  )
  events.on('tasks.enqueued', (enqueued) => log.debug(enqueued, 'tasks enqueued or found lost by the worker'))
  events.on('schedule.refused', ({ schedule, problem }) => {
    const isFirst = isFirstThisHour(schedule)
    log[isFirst ? 'warn' : 'debug']({ schedule, problem }, 'schedule makes no task')
  })
  events.on('worker.started', ({ slots, isolatedSlots, ...worker }) =>
    log.info({ ...worker, isolatedProcesses: isolatedSlots.capacity }, 'worker started'),
  )
  events.on('worker.stuck', (stuck) => log.error(stuck, 'consumer was stuck and has been replaced'))
  events.on('slot.leaked', (slot) =>
    log.error(slot, 'a handler ignored its abort; its attempt was ended and its slot has leaked'),
  )
  events.on('loop.blocked', (block) =>
    log.warn(block, 'the event loop was blocked; other tasks were delayed'),
  )
  events.on('worker.failed', ({ reason, error, ...worker }) =>
    log.fatal({ ...worker, ...(error !== undefined && { err: asError(error) }) }, reason),
  )
  events.on('worker.stopping', (worker) => log.info(worker, 'worker stopping'))
  events.on('worker.stopped', (worker) => log.info(worker, 'worker stopped'))
  events.on('error.unexpected', ({ error, ...where }) =>
    log.error({ ...where, err: asError(error) }, 'unexpected error'),
  )
  events.on('error.transient', ({ where, error }) => {
    const line = { where, ...reasonOf(error) }
    log[isFirstThisMinute(`${where} ${line.error}`) ? 'warn' : 'debug'](line, 'transient error, will retry')
  })
  events.on('task.finished', (task) => {
    log[task.status === 'FAILURE' ? 'warn' : task.status === 'RETRY' ? 'info' : 'debug'](
      task,
      'task finished',
    )
  })
  if (!log.isLevelEnabled('debug')) return
  events.on('schedule.ticked', (tick) => log.debug(tick, 'schedule ticked'))
  events.on('task.started', (task) => log.debug(task, 'task started'))
  events.on('request.finished', (request) => log.debug(request, 'request finished'))
}

/** Wraps a thrown string or number in an Error, because pino would not write it as an error. */
function asError(error: unknown): unknown {
  return error instanceof Error || typeof error === 'object' ? error : new Error(messageOf(error))
}

/**
 * Returns the messages of an error and of its innermost cause. The messages between them are omitted, and so
 * is Drizzle's "Failed query: …": it contains the parameters of the statement, which may be inputs of tasks.
 */
function reasonOf(error: unknown) {
  const cause = innermost(error)
  if (cause === error) return { error: messageOf(error) }
  const message = messageOf(error)
  return message.startsWith('Failed query')
    ? { error: messageOf(cause) }
    : { error: message, cause: messageOf(cause) }
}

function innermost(error: unknown): unknown {
  // Node reports a failed connection to a host with several addresses as an AggregateError with one error per
  // address. The first one is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  return error instanceof Error && error.cause ? innermost(error.cause) : error
}

/**
 * Returns a function that returns true at most once per `pauseMs` for each key. With it, an outage is not
 * logged as a warning at every retry.
 */
function oncePer(pauseMs: number): (key: string) => boolean {
  const lastMs = new Map<string, number>()
  return (key) => {
    const now = Date.now()
    if (now - (lastMs.get(key) ?? 0) < pauseMs) return false
    if (lastMs.size > 100) lastMs.clear()
    lastMs.set(key, now)
    return true
  }
}
