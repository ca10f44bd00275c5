// What producers can do: submit, retry, cancel. Durable before it answers: a promise that resolves means committed.
import { AppError } from './errors.ts'
import { type AcceptedTask, createInsertOnce, isOf } from './insert-once.ts'
import type { Queue } from './queue.ts'
import type { Signals } from './signals.ts'
import type { BellStore } from './store/bell-store.ts'
import { createGroupCommit } from './store/group-commit.ts'
import type { NewTask, OnceTask } from './store/new-tasks.ts'
import type { TaskRow } from './store/schema.ts'
import type { TaskRef, TaskStore } from './store/task-store.ts'
import { faultsOf, parseInput } from './task-input.ts'
import type { TaskDefinition } from './tasks/define.ts'
import { HTTP_REQUEST } from './tasks/http-request.ts'
import type { Registry } from './tasks/registry.ts'
import type { Events } from './telemetry/events.ts'
import { newId } from './uuidv7.ts'

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
  /** Cancels what waits, asks a worker to stop what runs. @throws AppError `unknown_task`, `already_finished` */
  cancel(id: string): Promise<'cancelled' | 'requested'>
  /** Puts a FAILURE or CANCELLED task back with a fresh retry budget. @throws AppError `unknown_task`, `not_finished` */
  retry(id: string): Promise<void>
  /** Resolves when no bell is on its way any more, for processes that are frozen between requests. */
  settled(): Promise<void>
}

export interface TaskServiceDependencies {
  registry: Registry
  store: TaskStore
  bells: BellStore
  /** Reads a task. */
  find: (id: string) => Promise<TaskRow | undefined>
  queue: Queue
  signals: Signals
  events: Events
}

export function createTaskService(dependencies: TaskServiceDependencies): TaskService {
  const { registry, store, bells, find, queue, signals, events } = dependencies
  const ringing = new Set<Promise<unknown>>()
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
    async replay(id, edited, options = {}) {
      const row = await find(id)
      if (!row) throw unknownTask(id)
      const { name, queue, maxRetries, timeoutMs, tags, callbackUrl } = row
      const kept = { queue, maxRetries, timeoutMs, tags, callbackUrl: callbackUrl ?? undefined }
      const input = 'input' in edited ? edited.input : row.input
      return submit(name, input, { ...kept, ...options, replayedFrom: id }, ['input'])
    },
    async cancel(id) {
      const [cancelled] = await store.cancelMany([id])
      if (!cancelled) {
        if ((await store.statusOf(id)) === 'CANCELLED') return 'cancelled'
        throw await refusalOf(id, 'already_finished', 'it has finished')
      }
      signals.announce(cancelled.status === 'STARTED' ? 'cancel' : 'ended', [id])
      if (cancelled.status !== 'STARTED') events.emit('tasks.cancelled', { tasks: [cancelled] })
      return cancelled.status === 'STARTED' ? 'requested' : 'cancelled'
    },
    async retry(id) {
      const refs = await store.retryMany([id])
      if (refs.length === 0) {
        throw await refusalOf(
          id,
          'not_finished',
          'only a task that ended as FAILURE or CANCELLED can be retried',
        )
      }
      ring(refs)
    },
    async settled() {
      await Promise.all(ringing)
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
    ring(tasks.filter((task) => task.runAt === undefined).map(({ id, queue }) => ({ id, queue, attempt: 0 })))
  }

  async function refusalOf(id: string, code: 'already_finished' | 'not_finished', why: string) {
    const status = await store.statusOf(id)
    if (status === null) return unknownTask(id)
    return new AppError(code, `Task ${id} is ${status}: ${why}`)
  }

  /** Not awaited by any answer. What cannot be rung now is left to the dispatcher; should even that fail, to the reconciler. */
  function ring(refs: TaskRef[]) {
    if (refs.length === 0) return
    const rung = Promise.all(
      [...Map.groupBy(refs, (ref) => ref.queue)].map(([name, ofQueue]) => ringQueue(name, ofQueue)),
    )
    ringing.add(rung)
    void rung.then(() => ringing.delete(rung))
  }

  /** Never rejects. One queue that cannot be rung does not make the others ring twice. */
  async function ringQueue(name: string, refs: TaskRef[]): Promise<void> {
    try {
      await queue.enqueueMany(name, refs)
    } catch (error) {
      events.emit('bells.failed', { count: refs.length, error })
      await bells
        .markUnrung(refs)
        .catch((cause) => events.emit('trouble', { where: 'leaving bells to the dispatcher', error: cause }))
    }
  }
}

function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id}`)
}

function newTask(definition: TaskDefinition, input: unknown, options: SubmitOptions): NewTask {
  const createdAt = new Date()
  const { runAt } = options
  return {
    // Carries the moment of creation: ids are in the order of submission.
    id: newId(createdAt.getTime()),
    name: definition.name,
    queue: options.queue ?? definition.queue,
    input,
    maxRetries: options.maxRetries ?? definition.maxRetries,
    timeoutMs: options.timeoutMs ?? definition.timeoutMs,
    tags: options.tags ?? [],
    createdAt,
    ...(runAt && runAt > createdAt && { runAt }),
    requestId: options.requestId,
    traceparent: options.traceparent,
    callbackUrl: options.callbackUrl,
    replayedFrom: options.replayedFrom,
  }
}
