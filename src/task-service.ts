// What producers can do: submit, retry, cancel. Durable before it answers: a promise that resolves means committed.
import type { z } from 'zod'
import { AppError, type Fault } from './errors.ts'
import type { Queue } from './queue.ts'
import type { Signals } from './signals.ts'
import { createGroupCommit } from './store/group-commit.ts'
import type { NewTask, TaskRef, TaskStore } from './store/task-store.ts'
import type { TaskDefinition } from './tasks/define.ts'
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
}

export interface TaskService {
  /**
   * Accepts a task: it is committed when this resolves, and will be run at least once.
   * @param inputPath where the input stands in the caller's document, for the pointers of faults
   * @throws AppError `unknown_definition`, `invalid_input`, `overloaded`, `unavailable`
   */
  submit(name: string, input: unknown, options?: SubmitOptions, inputPath?: string[]): Promise<NewTask>
  /** Cancels what waits, asks a worker to stop what runs. @throws AppError `unknown_task`, `already_finished` */
  cancel(id: string): Promise<'cancelled' | 'requested'>
  /** Puts a FAILURE or CANCELLED task back with a fresh retry budget. @throws AppError `unknown_task`, `not_finished` */
  retry(id: string): Promise<void>
}

export interface TaskServiceDependencies {
  registry: Registry
  store: TaskStore
  queue: Queue
  signals: Signals
  events: Events
}

export function createTaskService(dependencies: TaskServiceDependencies): TaskService {
  const { registry, store, queue, signals, events } = dependencies
  const inserts = createGroupCommit<NewTask, undefined>({
    name: 'task submissions',
    write: store.insertMany,
    onWritten(tasks) {
      events.emit('tasks.accepted', { count: tasks.length })
      // A task with a time of its own is rung by the dispatcher when it has come.
      ring(
        tasks.filter((task) => task.runAt === undefined).map(({ id, queue }) => ({ id, queue, attempt: 0 })),
      )
    },
  })

  // So that the first submission after a start finds its bell connected.
  for (const definition of registry.all) void queue.prepare(definition.queue)

  return {
    async submit(name, input, options = {}, inputPath = []) {
      const definition = registry.get(name)
      const task = newTask(definition, parseInput(definition, input, inputPath), options)
      await inserts.submit(task)
      return task
    },
    async cancel(id) {
      const [cancelled] = await store.cancelMany([id])
      if (!cancelled) {
        if ((await store.statusOf(id)) === 'CANCELLED') return 'cancelled'
        throw await refusalOf(id, 'already_finished', 'it has finished')
      }
      signals.announce(cancelled.status === 'STARTED' ? 'cancel' : 'ended', [id])
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
  }

  async function refusalOf(id: string, code: 'already_finished' | 'not_finished', why: string) {
    const status = await store.statusOf(id)
    if (status === null) return new AppError('unknown_task', `There is no task ${id}`)
    return new AppError(code, `Task ${id} is ${status}: ${why}`)
  }

  /** Not awaited by any answer. What cannot be rung now is left to the dispatcher; should even that fail, to the reconciler. */
  function ring(refs: TaskRef[]) {
    if (refs.length === 0) return
    enqueueAll(queue, refs).catch(async (error) => {
      events.emit('bells.failed', { count: refs.length, error })
      await store
        .markUnrung(refs)
        .catch((cause) => events.emit('trouble', { where: 'leaving bells to the dispatcher', error: cause }))
    })
  }
}

/** Rings for tasks of any queues. */
export async function enqueueAll(queue: Queue, refs: TaskRef[]): Promise<void> {
  const byQueue = Map.groupBy(refs, (ref) => ref.queue)
  await Promise.all([...byQueue].map(([name, bells]) => queue.enqueueMany(name, bells)))
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
  }
}

// Deeper than any document that people write, and far from where parsers run out of stack.
const MAX_DEPTH = 100

function parseInput(definition: TaskDefinition, input: unknown, inputPath: string[]): unknown {
  if (isDeeperThan(MAX_DEPTH, input)) {
    throw new AppError('invalid_input', `Task "${definition.name}": the input is nested too deeply`, {
      faults: [
        { pointer: pointerOf(inputPath), detail: `must not be nested deeper than ${MAX_DEPTH} levels` },
      ],
    })
  }
  const parsed = definition.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw new AppError('invalid_input', `Task "${definition.name}": the input is not valid`, {
    faults: faultsOf(parsed.error, inputPath),
  })
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/** What zod found, as JSON Pointers (RFC 6901) below `base`. */
export function faultsOf(error: Pick<z.core.$ZodError, 'issues'>, base: string[] = []): Fault[] {
  return error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map(String)]
    // An unexpected member is reported at its own place, not at the object's.
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointerOf([...path, key]),
        detail: 'This member is not known',
      }))
    }
    return [{ pointer: pointerOf(path), detail: issue.message }]
  })
}

function pointerOf(path: string[]): string {
  return ['#', ...path.map((step) => encodeURI(step.replaceAll('~', '~0').replaceAll('/', '~1')))].join('/')
}
