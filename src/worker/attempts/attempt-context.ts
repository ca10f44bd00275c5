// The context that a handler gets, with which it reports progress, logs lines and learns of an abort.
import type { TaskContext } from '../../definitions/define.ts'
import type { Services } from '../../definitions/services.ts'
import type { RunningTask } from './running-tasks.ts'

/**
 * Creates the context of an attempt.
 * @param services services of the project
 * @param log adds a line to the log of the attempt
 * @param onProgress called when the handler has reported progress
 */
export function createAttemptContext(
  running: RunningTask,
  services: Services,
  log: TaskContext['log'],
  onProgress?: () => void,
): TaskContext {
  const progress: TaskContext['progress'] = (fraction, message) => {
    running.progress = reportedProgress(fraction, message)
    onProgress?.()
  }
  return new AttemptContext(running, { progress, log, services })
}

/**
 * The context is a class because of the getter `signal`: in an object literal, V8 would allocate a closure
 * for it in the old generation, which keeps the task and its input in memory until the next full garbage
 * collection.
 */
class AttemptContext implements TaskContext {
  readonly id: string
  readonly attempt: number
  readonly requestId: string | undefined
  readonly traceparent: string | undefined
  readonly progress: TaskContext['progress']
  readonly log: TaskContext['log']
  readonly services: Services
  readonly #running: RunningTask

  constructor(
    running: RunningTask,
    { progress, log, services }: Pick<TaskContext, 'progress' | 'log' | 'services'>,
  ) {
    this.id = running.task.id
    this.attempt = running.task.attempt
    this.requestId = running.task.requestId ?? undefined
    this.traceparent = running.task.traceparent ?? undefined
    this.progress = progress
    this.log = log
    this.services = services
    this.#running = running
  }

  get signal(): AbortSignal {
    return this.#running.signal
  }
}

/** Returns progress as it is stored: with a fraction from 0 to 1, and a message that Postgres can store. */
export function reportedProgress(fraction: number, message?: string): { fraction: number; message?: string } {
  return { fraction: Math.min(1, Math.max(0, Number(fraction) || 0)), message: progressMessageOf(message) }
}

// Maximum length of a progress message in characters. The page shows it as one line under the progress bar.
const MAX_PROGRESS_MESSAGE = 500

/** Shortens a progress message and replaces NUL and lone surrogates, which a Postgres text cannot contain. */
function progressMessageOf(message: string | undefined): string | undefined {
  if (message === undefined) return undefined
  return String(message).slice(0, MAX_PROGRESS_MESSAGE).toWellFormed().replaceAll('\0', '\ufffd')
}
