// Submits tasks: validates the input, commits the row to Postgres, and enqueues the task in the background.
import { AppError } from '../base/errors.ts'
import { faultsOf } from '../base/faults.ts'
import { createGroupCommit } from '../base/group-commit.ts'
import { newId, timeOfId } from '../base/uuidv7.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { holdOf, type Priority } from '../definitions/limits.ts'
import type { Registry } from '../definitions/registry.ts'
import { uniquenessOf } from '../definitions/uniqueness.ts'
import type { NewTask, OnceResult, OnceTask, UniqueResult, UniqueTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'
import type { TaskStore, TaskToEnqueue } from '../store/task-store.ts'
import type { UniqueStore } from '../store/unique/unique-store.ts'
import { CALLBACK } from '../tasks/callback.ts'
import type { Events } from '../telemetry/events.ts'
import type { Enqueuer } from './enqueuer.ts'
import { type AcceptedTask, createInsertOnce, isOf } from './insert-once.ts'
import { parseInput } from './task-input.ts'

export interface SubmitOptions {
  /** Time before which the task does not start. Default: it may start immediately. */
  runAt?: Date
  maxRetries?: number
  timeoutMs?: number
  queue?: string
  /** Priority of the task within its queue; by default that of its definition. */
  priority?: Priority
  /** The task ends as CANCELLED if it has not started by then. */
  expiresAt?: Date
  /** True runs the task in isolated processes also if its definition does not require it. */
  isIsolated?: boolean
  tags?: string[]
  /** URL to which the task is posted when it has ended. */
  callbackUrl?: string
  /** Hashes of the idempotency key and the body. Repeated submissions with the same key create one task. */
  idempotency?: OnceTask['idempotency']
  /** X-Request-Id of the request that submits the task. Log lines of the task contain it. */
  requestId?: string
  /**
   * W3C Trace Context (header `traceparent`) of the request that submits the task. Log lines and outgoing
   * requests of the task contain it.
   */
  traceparent?: string
  /** Id of the original task if this one is a replay. */
  replayedFrom?: string
}

/**
 * Submits a task. When the promise resolves, the task is committed, and it will run at least once unless it
 * is cancelled. A unique task can meet another one instead, whose id the result then has.
 * @param inputPath path of the input in the request body; JSON Pointers of validation errors begin with it
 * @throws AppError `unknown_definition`, `invalid_input`, `idempotency_key_reused`,
 * `idempotency_key_in_flight`, `overloaded`, `unavailable`, `outcome_unknown`
 */
export type Submit = (
  name: string,
  input: unknown,
  options?: SubmitOptions,
  inputPath?: string[],
) => Promise<AcceptedTask>

export interface Submissions {
  submit: Submit
  /**
   * Like `submit`, with the unchanged input of a task that exists. The definition may be internal, because
   * only Waggle itself creates the inputs of such tasks.
   */
  resubmit: Submit
}

export interface SubmitDependencies {
  registry: Registry
  store: TaskStore
  uniqueStore: UniqueStore
  find: (id: string) => Promise<TaskRow | undefined>
  enqueuer: Enqueuer
  events: Events
}

export function createSubmit(dependencies: SubmitDependencies): Submissions {
  const { registry, store, uniqueStore, find, enqueuer, events } = dependencies
  const createInserts = () =>
    createGroupCommit<NewTask, number | null>({
      name: 'task submissions',
      write: (tasks) => store.insertMany(tasks, enqueuer.hasBacklog),
      sizeOf: inputSize,
      onWritten: acceptMany,
    })
  const inserts = createInserts()
  // Apart from plain tasks, which must not wait for locks of groups.
  const heldInserts = createInserts()
  const insertsOnce = createGroupCommit<OnceTask, OnceResult>({
    name: 'task submissions',
    write: (tasks) => store.insertOnceMany(tasks, enqueuer.hasBacklog),
    sizeOf: inputSize,
    onWritten(tasks, results) {
      const isNew = tasks.map((task, index) => {
        const first = results[index]?.first
        return !first || isOf(first, task)
      })
      acceptMany(
        tasks.filter((_, index) => isNew[index]),
        results.filter((_, index) => isNew[index]).map(({ enqueuedAtMs }) => enqueuedAtMs),
      )
    },
  })
  const insertsUnique = createGroupCommit<UniqueTask, UniqueResult>({
    name: 'task submissions',
    write: (tasks) => uniqueStore.insertMany(tasks, enqueuer.hasBacklog),
    sizeOf: inputSize,
    onWritten(_, results) {
      const inserted = results.filter(({ created }) => created !== null)
      acceptMany(
        inserted.map(({ created }) => created as NewTask),
        inserted.map(({ enqueuedAtMs }) => enqueuedAtMs),
      )
      enqueuer.hold(results.flatMap(({ toHold }) => toHold))
    },
  })
  const insertOnce = createInsertOnce(find)

  return {
    submit: (name, input, options, inputPath) => submitWith(registry.get, name, input, options, inputPath),
    resubmit: (name, input, options, inputPath) => submitWith(findOrGet, name, input, options, inputPath),
  }

  function findOrGet(name: string): TaskDefinition {
    return registry.find(name) ?? registry.get(name)
  }

  async function submitWith(
    definitionOf: (name: string) => TaskDefinition,
    name: string,
    input: unknown,
    options: SubmitOptions = {},
    inputPath: string[] = [],
  ): Promise<AcceptedTask> {
    const definition = definitionOf(name)
    if (options.callbackUrl !== undefined) checkCallbackUrl(registry, options.callbackUrl, inputPath)
    const task = newTask(definition, parseInput(definition, input, inputPath), options)
    const { idempotency } = options
    if (task.unique) return insertUnique({ ...task, unique: task.unique, idempotency })
    if (idempotency === undefined) {
      await (task.hold ? heldInserts : inserts).add(task)
      return task
    }
    return insertOnce({ ...task, idempotency }, async (once) => ({
      first: (await insertsOnce.add(once)).first,
      accepted: task,
    }))
  }

  async function insertUnique(task: UniqueTask): Promise<AcceptedTask> {
    const { idempotency, ...rest } = task
    if (!idempotency) return acceptedOf(rest, await insertsUnique.add(task))
    return insertOnce({ ...task, idempotency }, async () => {
      const result = await insertsUnique.add(task)
      return { first: result.first, accepted: acceptedOf(rest, result) }
    })
  }

  /**
   * Called when a batch of new tasks is committed: emits `batch.written` and `tasks.accepted` for metrics and
   * statistics, and enqueues the tasks that are marked as enqueued.
   * @param enqueuedAtMs when each task was marked; null for a task that is delayed or has to wait behind
   * others
   */
  function acceptMany(tasks: NewTask[], enqueuedAtMs: (number | null)[]) {
    if (tasks.length === 0) return
    events.emit('batch.written', { kind: 'submissions', size: tasks.length })
    events.emit('tasks.accepted', { tasks })
    const marked: TaskToEnqueue[] = []
    for (const [index, { id, queue, isIsolated = false }] of tasks.entries()) {
      const atMs = enqueuedAtMs[index] ?? null
      if (atMs !== null) marked.push({ id, queue, isIsolated, attempt: 0, enqueuedAtMs: atMs })
    }
    enqueuer.enqueue(marked)
    enqueuer.announceHeld(tasks)
  }
}

/** Returns the length of the input as JSON text. It approximates the bytes; counting them would be slower. */
function inputSize({ inputText = '' }: NewTask): number {
  return inputText.length
}

/**
 * Checks the `callback_url` of a submission. It must be a URL that callbacks accept.
 * @throws AppError `invalid_input`
 */
function checkCallbackUrl(registry: Registry, url: string, inputPath: string[]) {
  const { error } = registry.getInternal(CALLBACK).input.safeParse({ url, body: null })
  if (!error) return
  const issues = error.issues.map((issue) => ({ ...issue, path: [] }))
  const faults = faultsOf({ issues }, [...inputPath.slice(0, -1), 'options', 'callback_url'])
  throw new AppError('invalid_input', 'The callback_url is not valid', { faults })
}

function newTask(definition: TaskDefinition, input: unknown, options: SubmitOptions): NewTask {
  const { runAt, replayedFrom } = options
  // The creation time of a replay, and so its id, is always later than that of the original task, even if the
  // clock of the process that created the original was ahead. A bulk replay that matches a filter reads tasks
  // from the newest to the oldest id, so it never replays its own replays.
  const createdAt = new Date(replayedFrom ? Math.max(Date.now(), timeOfId(replayedFrom) + 1) : Date.now())
  return {
    // The id begins with the time of submission, so that the order of ids is the order of submission.
    id: newId(createdAt.getTime()),
    name: definition.name,
    queue: options.queue ?? definition.queue,
    input,
    // The input is serialized once; the row and the response share this text.
    inputText: JSON.stringify(input),
    maxRetries: options.maxRetries ?? definition.maxRetries,
    timeoutMs: options.timeoutMs ?? definition.timeoutMs,
    isIsolated: definition.isolate !== undefined || options.isIsolated === true,
    tags: options.tags ?? [],
    createdAt,
    runAt: runAt && runAt > createdAt ? runAt : undefined,
    requestId: options.requestId,
    traceparent: options.traceparent,
    callbackUrl: options.callbackUrl,
    replayedFrom: options.replayedFrom,
    hold: holdOf(definition, input, options),
    unique: uniquenessOf(definition, input),
  }
}

/** Returns the accepted task: the submitted one with the start that it got, or the one that it has met. */
export function acceptedOf(task: NewTask, { created, existing }: UniqueResult): AcceptedTask {
  if (existing)
    return { ...task, id: existing.id, createdAt: existing.createdAt, isExisting: true, row: existing }
  return created ? { ...task, runAt: created.runAt } : task
}
