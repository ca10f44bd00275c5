// What producers can do: submit, retry, cancel. Durable before it answers: a promise that resolves means committed.
import { AppError, isAppError } from '../base/errors.ts'
import { faultsOf } from '../base/faults.ts'
import { createGroupCommit } from '../base/group-commit.ts'
import { newId, timeOfId } from '../base/uuidv7.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import type { Registry } from '../definitions/registry.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import type { Queue } from '../redis/queue.ts'
import type { Signals } from '../redis/signals.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { NewTask, OnceTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'
import type { TaskStore, TaskToEnqueue } from '../store/task-store.ts'
import { HTTP_REQUEST } from '../tasks/http-request.ts'
import type { Events } from '../telemetry/events.ts'
import { type AcceptedTask, createInsertOnce, isOf } from './insert-once.ts'
import { parseInput } from './task-input.ts'

export interface SubmitOptions {
  /** Not before this moment. */
  runAt?: Date
  maxRetries?: number
  timeoutMs?: number
  queue?: string
  tags?: string[]
  /** Where to post the task when it has ended. */
  callbackUrl?: string
  /** Makes the task exist once, however often it is submitted: hashes of key and body. */
  idempotency?: OnceTask['idempotency']
  /** Where it comes from, for the logs. */
  requestId?: string
  traceparent?: string
  replayedFrom?: string
}

export interface TaskService {
  /**
   * Accepts a task: it is committed when this resolves, and will be run at least once.
   * @param inputPath where the input stands in the caller's document, for the pointers of faults
   * @throws AppError `unknown_definition`, `invalid_input`, `idempotency_key_reused`, `idempotency_key_in_flight`,
   *   `overloaded`, `unavailable`
   */
  submit(name: string, input: unknown, options?: SubmitOptions, inputPath?: string[]): Promise<AcceptedTask>
  /**
   * Submits the task once more under a new id, with its own input or an edited one.
   * @throws AppError as `submit`, and `unknown_task`
   */
  replay(id: string, edited: { input?: unknown }, options?: SubmitOptions): Promise<AcceptedTask>
  /**
   * The same for many. Resolves with how many were submitted: left out is what is unknown, and what its definition does
   * not take any more. @param optionsOf by the id of the task that is replayed
   * @throws AppError when one of them could not be submitted for any other reason; others may have been
   */
  replayMany(ids: string[], optionsOf: (id: string) => SubmitOptions): Promise<number>
  /** Cancels what waits, asks a worker to stop what runs. @throws AppError `unknown_task`, `already_finished` */
  cancel(id: string): Promise<'cancelled' | 'requested'>
  /** The same for many, in one write. Left out is what has finished, and what is unknown. */
  cancelMany(ids: string[]): Promise<{ cancelled: string[]; requested: string[] }>
  /** Puts a FAILURE or CANCELLED task back with a fresh retry budget. @throws AppError `unknown_task`, `not_finished` */
  retry(id: string): Promise<void>
  /** The same for many, in one write. Resolves with those that wait again. */
  retryMany(ids: string[]): Promise<string[]>
  /** Resolves when no bell is on its way any more, for processes that are frozen between requests. */
  settled(): Promise<void>
}

export interface TaskServiceDependencies {
  registry: Registry
  store: TaskStore
  dispatchStore: DispatchStore
  /** Reads a task. */
  find: (id: string) => Promise<TaskRow | undefined>
  queue: Queue
  signals: Signals
  events: Events
}

export function createTaskService(dependencies: TaskServiceDependencies): TaskService {
  const { registry, store, dispatchStore, find, queue, signals, events } = dependencies
  const enqueuing = new Set<Promise<unknown>>()
  const inserts = createGroupCommit<NewTask, undefined>({
    name: 'task submissions',
    write: store.insertMany,
    onWritten: announceAccepted,
  })
  const insertsOnce = createGroupCommit<OnceTask, TaskRow | null>({
    name: 'task submissions',
    write: store.insertOnceMany,
    onWritten(tasks, rows) {
      announceAccepted(
        tasks.filter((task, index) => {
          const row = rows[index]
          return !row || isOf(row, task)
        }),
      )
    },
  })
  const insertOnce = createInsertOnce(insertsOnce.submit)

  // So that the first submission after a start finds its bell connected.
  for (const definition of registry.all) void queue.prepare(definition.queue)

  return {
    submit,
    replay,
    async replayMany(ids, optionsOf) {
      let count = 0
      // Some at a time, because of what their inputs may weigh; these are read together and written together.
      for (let from = 0; from < ids.length; from += REPLAYED_TOGETHER) {
        const some = ids.slice(from, from + REPLAYED_TOGETHER)
        const outcomes = await Promise.allSettled(some.map((id) => replay(id, {}, optionsOf(id))))
        const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
        const serious = reasons.find((reason) => !NOT_REPLAYABLE.some((code) => isAppError(reason, code)))
        if (serious) throw serious
        count += some.length - reasons.length
      }
      return count
    },
    async cancel(id) {
      const { cancelled, requested } = await cancelMany([id])
      if (requested.length > 0) return 'requested'
      if (cancelled.length > 0 || (await store.statusOf(id)) === 'CANCELLED') return 'cancelled'
      throw await refusalOf(id, 'already_finished', 'it has finished')
    },
    cancelMany,
    async retry(id) {
      const retried = await retryMany([id])
      if (retried.length > 0) return
      throw await refusalOf(
        id,
        'not_finished',
        'only a task that ended as FAILURE or CANCELLED can be retried',
      )
    },
    retryMany,
    async settled() {
      await Promise.all(enqueuing)
    },
  }

  async function submit(
    name: string,
    input: unknown,
    options: SubmitOptions = {},
    inputPath: string[] = [],
  ): Promise<AcceptedTask> {
    const definition = registry.get(name)
    if (options.callbackUrl !== undefined) checkCallback(options.callbackUrl, inputPath)
    const task = newTask(definition, parseInput(definition, input, inputPath), options)
    if (options.idempotency === undefined) {
      await inserts.submit(task)
      return task
    }
    return insertOnce({ ...task, idempotency: options.idempotency })
  }

  async function replay(id: string, edited: { input?: unknown }, options: SubmitOptions = {}) {
    const row = await find(id)
    if (!row) throw unknownTask(id)
    const { name, queue, maxRetries, timeoutMs, tags, callbackUrl } = row
    const kept = { queue, maxRetries, timeoutMs, tags, callbackUrl: callbackUrl ?? undefined }
    const input = 'input' in edited ? edited.input : row.input
    return submit(name, input, { ...kept, ...options, replayedFrom: row.id }, ['input'])
  }

  async function cancelMany(ids: string[]) {
    const rows = await store.cancelMany(ids)
    const isRequested = ({ status }: { status: TaskStatus }) => status === 'STARTED'
    const requested = rows.filter(isRequested).map(({ id }) => id)
    const ended = rows.filter((row) => !isRequested(row))
    const cancelled = ended.map(({ id }) => id)
    if (requested.length > 0) signals.announce('cancel', requested)
    if (ended.length > 0) {
      signals.announce('ended', cancelled)
      events.emit('tasks.cancelled', { tasks: ended })
    }
    return { cancelled, requested }
  }

  async function retryMany(ids: string[]) {
    const refs = await store.retryMany(ids)
    enqueue(refs)
    return refs.map(({ id }) => id)
  }

  /** It will be called by a task like any other: what that would refuse is refused here, where somebody reads it. */
  function checkCallback(url: string, inputPath: string[]) {
    const { error } = registry.get(HTTP_REQUEST).input.safeParse({ url })
    if (!error) return
    const issues = error.issues.map((issue) => ({ ...issue, path: [] }))
    const faults = faultsOf({ issues }, [...inputPath.slice(0, -1), 'options', 'callback_url'])
    throw new AppError('invalid_input', 'The callback_url is not valid', { faults })
  }

  function announceAccepted(tasks: NewTask[]) {
    if (tasks.length === 0) return
    events.emit('batch.written', { kind: 'submissions', size: tasks.length })
    events.emit('tasks.accepted', { tasks })
    // A task with a time of its own is rung by the dispatcher when it has come.
    enqueue(
      tasks.filter((task) => task.runAt === undefined).map(({ id, queue }) => ({ id, queue, attempt: 0 })),
    )
  }

  async function refusalOf(id: string, code: 'already_finished' | 'not_finished', why: string) {
    const status = await store.statusOf(id)
    if (status === null) return unknownTask(id)
    return new AppError(code, `Task ${id} is ${status}: ${why}`)
  }

  /** Not awaited by any answer. What cannot be rung now is left to the dispatcher; should even that fail, to the reconciler. */
  function enqueue(refs: TaskToEnqueue[]) {
    if (refs.length === 0) return
    const enqueued = Promise.all(
      [...Map.groupBy(refs, (ref) => ref.queue)].map(([name, ofQueue]) => enqueueInto(name, ofQueue)),
    )
    enqueuing.add(enqueued)
    void enqueued.then(() => enqueuing.delete(enqueued))
  }

  /** Never rejects. One queue that cannot be rung does not make the others ring twice. */
  async function enqueueInto(name: string, refs: TaskToEnqueue[]): Promise<void> {
    try {
      await queue.enqueueMany(name, refs)
    } catch (error) {
      events.emit('enqueue.failed', { count: refs.length, error })
      await dispatchStore
        .clearEnqueued(refs)
        .catch((cause) =>
          events.emit('error.transient', { where: 'leaving tasks to the dispatcher', error: cause }),
        )
    }
  }
}

// Of 256 KiB each, should all be as large as a body may be.
const REPLAYED_TOGETHER = 100
// What is so today and was not so when it was submitted: nobody can mend it by trying again.
const NOT_REPLAYABLE = ['unknown_task', 'unknown_definition', 'invalid_input'] as const

function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id}`)
}

function newTask(definition: TaskDefinition, input: unknown, options: SubmitOptions): NewTask {
  const { runAt, replayedFrom } = options
  // Newer than what it repeats, whatever the clock of that process said: who goes through a list from its new end and
  // replays what is there does not come upon the replays.
  const createdAt = new Date(replayedFrom ? Math.max(Date.now(), timeOfId(replayedFrom) + 1) : Date.now())
  return {
    // Carries the moment of creation: ids are in the order of submission.
    id: newId(createdAt.getTime()),
    name: definition.name,
    queue: options.queue ?? definition.queue,
    input,
    // For the row and for the answer.
    inputText: JSON.stringify(input),
    maxRetries: options.maxRetries ?? definition.maxRetries,
    timeoutMs: options.timeoutMs ?? definition.timeoutMs,
    tags: options.tags ?? [],
    createdAt,
    runAt: runAt && runAt > createdAt ? runAt : undefined,
    requestId: options.requestId,
    traceparent: options.traceparent,
    callbackUrl: options.callbackUrl,
    replayedFrom: options.replayedFrom,
  }
}
