// Cancels and retries tasks when a client requests it.
import { AppError } from '../base/errors.ts'
import { limitsOf } from '../definitions/limits.ts'
import type { Registry } from '../definitions/registry.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import type { Signals } from '../redis/signals.ts'
import { holdAgain } from '../store/held/hold-again.ts'
import type { LimitStore } from '../store/held/limit-store.ts'
import type { RetriedTask, TaskStore } from '../store/task-store.ts'
import type { UniqueStore } from '../store/unique/unique-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { Enqueuer } from './enqueuer.ts'
import { createUniqueRetry } from './retry-unique.ts'
import { unknownTask } from './unknown-task.ts'

export interface CancelAndRetry {
  /**
   * Cancels a waiting task, or asks the worker of a running task to stop it. Resolves with `cancelled` if the
   * task is CANCELLED now, or with `requested` if its worker was asked.
   * @throws AppError `unknown_task`, `already_finished`
   */
  cancel(id: string): Promise<'cancelled' | 'requested'>
  /** Like `cancel` for many tasks, in one statement. The result leaves out finished and unknown tasks. */
  cancelMany(ids: string[]): Promise<{ cancelled: string[]; requested: string[] }>
  /**
   * Sets a FAILURE or CANCELLED task to PENDING, with a new retry budget, and enqueues it.
   * @throws AppError `unknown_task`, `not_finished`, `unique_task_exists` if another task of its unique key
   * waits or, depending on the definition, runs
   */
  retry(id: string): Promise<void>
  /** Like `retry` for many tasks, in one statement. Resolves with the ids of those that are PENDING again. */
  retryMany(ids: string[]): Promise<string[]>
}

export interface CancelAndRetryDependencies {
  registry: Registry
  store: TaskStore
  limitStore: LimitStore
  uniqueStore: UniqueStore
  enqueuer: Enqueuer
  signals: Signals
  events: Events
}

export function createCancelAndRetry(dependencies: CancelAndRetryDependencies): CancelAndRetry {
  const { registry, store, limitStore, enqueuer, signals, events } = dependencies
  const retryRows = createUniqueRetry(dependencies)
  return {
    async cancel(id) {
      const { cancelled, requested } = await cancelMany([id])
      if (requested.length > 0) return 'requested'
      if (cancelled.length > 0 || (await store.statusOf(id)) === 'CANCELLED') return 'cancelled'
      throw await refusalOf(id, 'already_finished', 'it has finished')
    },
    cancelMany,
    async retry(id) {
      const { retried, blockedBy } = await retryAll([id])
      if (retried.length > 0) return
      const otherId = blockedBy.get(id)
      const status = otherId === undefined ? null : await store.statusOf(id)
      if (otherId !== undefined && (status === 'FAILURE' || status === 'CANCELLED'))
        throw notUnique(id, otherId)
      throw await refusalOf(
        id,
        'not_finished',
        'only a task that ended as FAILURE or CANCELLED can be retried',
      )
    },
    async retryMany(ids) {
      const { retried } = await retryAll(ids)
      return retried.map(({ id }) => id)
    },
  }

  async function cancelMany(ids: string[]) {
    const rows = await store.cancelMany(ids)
    const isRunning = ({ status }: { status: TaskStatus }) => status === 'STARTED'
    const requested = rows.filter(isRunning).map(({ id }) => id)
    const ended = rows.filter((row) => !isRunning(row))
    const cancelled = ended.map(({ id }) => id)
    if (requested.length > 0) signals.publish('cancel', requested)
    if (ended.length > 0) {
      signals.publish('ended', cancelled)
      events.emit('tasks.cancelled', { tasks: ended })
    }
    return { cancelled, requested }
  }

  async function retryAll(ids: string[]) {
    const outcome = await retryRows(ids)
    enqueuer.enqueue(outcome.retried.filter((task) => !mustHold(task)))
    await holdAll(outcome.retried.filter(mustHold))
    return outcome
  }

  /** The database knows the limits of a definition only when a worker that has it has started. */
  function mustHold({ name, isHeld }: RetriedTask): boolean {
    const definition = registry.find(name)
    return isHeld || (definition !== undefined && limitsOf(definition) !== null)
  }

  /** If this fails, the reconciler of a worker finds that the tasks are not in Redis, and they are held then. */
  async function holdAll(tasks: RetriedTask[]) {
    if (tasks.length === 0) return
    await holdAgain(limitStore, registry.find, tasks).catch((error) =>
      events.emit('error.transient', { where: 'holding tasks', error }),
    )
    signals.publish('held', [...new Set(tasks.map(({ queue }) => queue))])
  }

  async function refusalOf(id: string, code: 'already_finished' | 'not_finished', reason: string) {
    const status = await store.statusOf(id)
    if (status === null) return unknownTask(id)
    return new AppError(code, `Task ${id} is ${status}: ${reason}`)
  }
}

function notUnique(id: string, otherId: string): AppError {
  return new AppError(
    'unique_task_exists',
    `Task ${id} cannot be retried: task ${otherId} has the same unique key and has not ended`,
  )
}
