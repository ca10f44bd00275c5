// Submits tasks: checks the input, commits the row, and enqueues the task.
import { AppError } from '../base/errors.ts'
import { faultsOf } from '../base/faults.ts'
import { createGroupCommit } from '../base/group-commit.ts'
import { newId, timeOfId } from '../base/uuidv7.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import type { Registry } from '../definitions/registry.ts'
import type { NewTask, OnceTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'
import type { TaskStore } from '../store/task-store.ts'
import { HTTP_REQUEST } from '../tasks/http-request.ts'
import type { Events } from '../telemetry/events.ts'
import type { Enqueuer } from './enqueuer.ts'
import { type AcceptedTask, createInsertOnce, isOf } from './insert-once.ts'
import { parseInput } from './task-input.ts'

export interface SubmitOptions {
  /** Earliest start. */
  runAt?: Date
  maxRetries?: number
  timeoutMs?: number
  queue?: string
  tags?: string[]
  /** URL to which the task is posted when it has ended. */
  callbackUrl?: string
  /** Hashes of the idempotency key and the body. Repeated submissions with the same key create one task. */
  idempotency?: OnceTask['idempotency']
  /** X-Request-Id and W3C Trace Context of the request, for the logs. */
  requestId?: string
  traceparent?: string
  replayedFrom?: string
}

/**
 * Submits a task. When the promise resolves, the task is committed, and it will run at least once.
 * @param inputPath path of the input in the caller's document, for the pointers of faults
 * @throws AppError `unknown_definition`, `invalid_input`, `idempotency_key_reused`,
 *    `idempotency_key_in_flight`, `overloaded`, `unavailable`
 */
export type Submit = (
  name: string,
  input: unknown,
  options?: SubmitOptions,
  inputPath?: string[],
) => Promise<AcceptedTask>

export interface SubmitDependencies {
  registry: Registry
  store: TaskStore
  enqueuer: Enqueuer
  events: Events
}

export function createSubmit({ registry, store, enqueuer, events }: SubmitDependencies): Submit {
  const inserts = createGroupCommit<NewTask, undefined>({
    name: 'task submissions',
    write: store.insertMany,
    onWritten: acceptMany,
  })
  const insertsOnce = createGroupCommit<OnceTask, TaskRow | null>({
    name: 'task submissions',
    write: store.insertOnceMany,
    onWritten(tasks, rows) {
      acceptMany(
        tasks.filter((task, index) => {
          const row = rows[index]
          return !row || isOf(row, task)
        }),
      )
    },
  })
  const insertOnce = createInsertOnce(insertsOnce.submit)

  return async (name, input, options = {}, inputPath = []) => {
    const definition = registry.get(name)
    if (options.callbackUrl !== undefined) checkCallbackUrl(registry, options.callbackUrl, inputPath)
    const task = newTask(definition, parseInput(definition, input, inputPath), options)
    if (options.idempotency === undefined) {
      await inserts.submit(task)
      return task
    }
    return insertOnce({ ...task, idempotency: options.idempotency })
  }

  /** Called once per committed batch. */
  function acceptMany(tasks: NewTask[]) {
    if (tasks.length === 0) return
    events.emit('batch.written', { kind: 'submissions', size: tasks.length })
    events.emit('tasks.accepted', { tasks })
    // The dispatcher enqueues tasks with a `runAt` when they are due.
    const dueNow = tasks.filter((task) => task.runAt === undefined)
    enqueuer.enqueue(dueNow.map(({ id, queue }) => ({ id, queue, attempt: 0 })))
  }
}

/**
 * The callback is an `http_request` task. A URL that this task would refuse is refused when it is submitted.
 */
function checkCallbackUrl(registry: Registry, url: string, inputPath: string[]) {
  const { error } = registry.get(HTTP_REQUEST).input.safeParse({ url })
  if (!error) return
  const issues = error.issues.map((issue) => ({ ...issue, path: [] }))
  const faults = faultsOf({ issues }, [...inputPath.slice(0, -1), 'options', 'callback_url'])
  throw new AppError('invalid_input', 'The callback_url is not valid', { faults })
}

function newTask(definition: TaskDefinition, input: unknown, options: SubmitOptions): NewTask {
  const { runAt, replayedFrom } = options
  // A replay gets a later time than its original, even if the clock of the process that made the original was
  // ahead. A bulk replay reads a list from new to old, so it never reaches its own replays.
  const createdAt = new Date(replayedFrom ? Math.max(Date.now(), timeOfId(replayedFrom) + 1) : Date.now())
  return {
    // The id carries the time, so that ids are in the order of submission.
    id: newId(createdAt.getTime()),
    name: definition.name,
    queue: options.queue ?? definition.queue,
    input,
    // Serialized once, for the row and for the response.
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
