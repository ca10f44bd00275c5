// Calls of the client that submit tasks, read them and act on them.
import { ApiError } from './api-error.ts'
import type { AnyProject, EndedTask, InputOf, KnownName, SubmittableName, TaskOf } from './project.ts'
import { type Api, type CallOptions, type CallSettings, idPath, type SendCall, sendOnce } from './request.ts'
import { readUntilFinal, retryWhileTransient } from './retry.ts'
import type { AcceptedTask, TaskLogs, TaskOptions, TaskWithAttempts } from './task.ts'
import type { BulkAction, BulkResult } from './task-list.ts'

/** An accepted task. Its type carries the name, from which `waitFor` derives the type of the result. */
export type SubmittedTask<Name extends string = string> = AcceptedTask & { name: Name }

/** A task, e.g. the response to its submission, or the id of a task. */
export type TaskHandle<Name extends string> = string | { id: string; name: Name; poll_token?: string }

export interface SubmitOptions extends CallOptions {
  /** Options of the task, e.g. queue and delay, with the names and units of the API. */
  options?: TaskOptions
  /** Submissions with the same key create one task. Default: a new key for every call. */
  idempotencyKey?: string
}

export interface LogsOptions extends CallOptions {
  /** The `next_after` of the previous response: only later lines are returned. */
  after?: number
  /** Maximum number of lines, at most 1000. */
  limit?: number
  /** See `ReadOptions`. */
  pollToken?: string
}

export interface ReadOptions extends CallOptions {
  /** How many seconds the API waits for the end of the task before it responds: 0 (default) to 50. */
  waitSeconds?: number
  /**
   * The `poll_token` from the response to the submission. It allows reading the task without an API key. Default:
   * the one of the task that was passed.
   */
  pollToken?: string
  /** Returns sensitive values instead of their mask. Needs an API key with the scope `reveal`. */
  reveal?: boolean
}

export interface WaitOptions extends CallOptions {
  /** Default and maximum: 24 days. */
  timeoutMs?: number
}

export interface TaskCalls<Project extends AnyProject> {
  /**
   * Submits a task. If the response is lost, the request is repeated with the same idempotency key, so that one
   * task is created. If it meets a unique task, it resolves with that one, and `is_existing` is true.
   */
  submit<Name extends SubmittableName<Project>>(
    name: Name,
    input: InputOf<Project, Name>,
    options?: SubmitOptions,
  ): Promise<SubmittedTask<Name>>

  /** Reads a task. With an id alone, `name` of the task tells the type of its result. */
  task<Name extends string = KnownName<Project>>(
    task: TaskHandle<Name>,
    options?: ReadOptions,
  ): Promise<TaskOf<Project, Name, TaskWithAttempts>>

  /**
   * Resolves with the task when it has ended. While the API is unreachable or busy it continues to wait.
   * @throws ApiError `timed_out` after `timeoutMs`
   */
  waitFor<Name extends string = KnownName<Project>>(
    task: TaskHandle<Name>,
    options?: WaitOptions,
  ): Promise<EndedTask<Project, Name>>

  /** Reads a part of a task's log, oldest line first. Pass `next_after` as `after` to read further lines. */
  logs(task: TaskHandle<string>, options?: LogsOptions): Promise<TaskLogs>

  /** Cancels a task. A running task ends later: its AbortSignal aborts. */
  cancel<Name extends string = KnownName<Project>>(
    task: TaskHandle<Name>,
    call?: CallOptions,
  ): Promise<TaskOf<Project, Name>>

  /**
   * Starts a failed or cancelled task again. The request is sent only once: if its response is lost and the task
   * fails again, a repeated request would start one more retry.
   */
  retry<Name extends string = KnownName<Project>>(
    task: TaskHandle<Name>,
    call?: CallOptions,
  ): Promise<TaskOf<Project, Name>>

  /**
   * Submits a copy of the task as a new task, with `input` instead of the original input if it is given.
   */
  replay<Name extends string = string>(
    task: TaskHandle<Name>,
    input?: InputOf<Project, Name>,
    options?: SubmitOptions,
  ): Promise<SubmittedTask<Name>>

  /**
   * Applies an action to the tasks with the given ids, or to a limited number of tasks that match a filter. To
   * continue with the next ones, pass the `next_cursor` of the response as `cursor`.
   */
  bulk(action: BulkAction, options?: Pick<SubmitOptions, 'idempotencyKey' | 'signal'>): Promise<BulkResult>
}

// How many seconds the API waits for the end of the task in one request of `waitFor`: the maximum that the
// API allows.
const MAX_WAIT_SECONDS = 50
// Default and maximum of `timeoutMs`: 24 days, the maximum delay of a timer in JavaScript.
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * @param send sends a request and repeats it after transient errors
 * @param retryForMs how long `send` repeats a request
 */
export function createTaskCalls<Project extends AnyProject>(
  { v1 }: Api,
  send: SendCall,
  retryForMs: number,
): TaskCalls<Project> {
  return {
    async submit<Name extends string>(name: Name, input: unknown, submitOptions: SubmitOptions = {}) {
      const { options, idempotencyKey, ...call } = submitOptions
      const headers = keyHeader(idempotencyKey)
      const body = { param: { name: encodeURIComponent(name) }, json: { input, options } }
      const post = (settings: CallSettings) => v1.tasks[':name'].$post(body, { ...settings, headers })
      const task: AcceptedTask = await send(post, call)
      // The cast is safe: the `name` in the response is the submitted one, but its type in the API is string.
      return task as SubmittedTask<Name>
    },

    async task<Name extends string>(handle: TaskHandle<Name>, options: ReadOptions = {}) {
      const read = () => readOnce(handle, options)
      return typed(await retryWhileTransient(read, retryForMs, options.signal))
    },

    async waitFor<Name extends string>(handle: TaskHandle<Name>, options: WaitOptions = {}) {
      const { timeoutMs = MAX_TIMER_MS, signal } = options
      const timeout = AbortSignal.timeout(Math.min(timeoutMs, MAX_TIMER_MS))
      const stopped = signal ? AbortSignal.any([signal, timeout]) : timeout
      const read = { waitSeconds: MAX_WAIT_SECONDS, signal: stopped }
      try {
        // `is_final` is true for SUCCESS, FAILURE and CANCELLED only.
        return typed<EndedTask<Project, Name>>(await readUntilFinal(() => readOnce(handle, read), stopped))
      } catch (error) {
        if (!timeout.aborted || signal?.aborted) throw error
        throw new ApiError(0, 'timed_out', `Task ${idOf(handle)} has not ended within ${timeoutMs} ms`)
      }
    },

    logs(handle, { after, limit, pollToken = pollTokenOf(handle), ...call } = {}) {
      const query = {
        ...(after !== undefined && { after: String(after) }),
        ...(limit !== undefined && { limit: String(limit) }),
        ...(pollToken !== undefined && { poll_token: pollToken }),
      }
      return send((settings) => v1.tasks[':id'].logs.$get({ ...idPath(idOf(handle)), query }, settings), call)
    },

    async cancel(handle, call) {
      return typed(
        await send((settings) => v1.tasks[':id'].cancel.$post(idPath(idOf(handle)), settings), call),
      )
    },

    async retry(handle, call) {
      return typed(
        await sendOnce((settings) => v1.tasks[':id'].retry.$post(idPath(idOf(handle)), settings), call),
      )
    },

    async replay<Name extends string>(handle: TaskHandle<Name>, input?: unknown, more: SubmitOptions = {}) {
      const { options, idempotencyKey, ...call } = more
      const headers = keyHeader(idempotencyKey)
      const body = { ...idPath(idOf(handle)), json: { ...(input !== undefined && { input }), options } }
      const post = (settings: CallSettings) => v1.tasks[':id'].replay.$post(body, { ...settings, headers })
      const task: AcceptedTask = await send(post, call)
      // The cast is safe: a replay has the name of the original task.
      return task as SubmittedTask<Name>
    },

    bulk(action, { idempotencyKey, ...call } = {}) {
      const headers = keyHeader(idempotencyKey)
      const post = (settings: CallSettings) => v1.tasks.bulk.$post({ json: action }, { ...settings, headers })
      // A bulk retry is sent only once: a repeated one could retry tasks that have failed again meanwhile.
      return action.action === 'retry' ? sendOnce(post, call) : send(post, call)
    },
  }

  function readOnce(
    handle: TaskHandle<string>,
    { waitSeconds = 0, pollToken = pollTokenOf(handle), reveal, signal }: ReadOptions,
  ): Promise<TaskWithAttempts> {
    const query = {
      ...(waitSeconds > 0 && { wait: String(waitSeconds) }),
      ...(pollToken !== undefined && { poll_token: pollToken }),
      ...(reveal && { reveal: 'true' as const }),
    }
    const get = (settings: CallSettings) => v1.tasks[':id'].$get({ ...idPath(idOf(handle)), query }, settings)
    return sendOnce(get, { signal, waitMs: waitSeconds * 1_000 })
  }
}

/**
 * Gives a task the types of the definition with its name. The cast assumes that the API runs the project of this
 * client: then the input and the result of the task have the types of its definition.
 */
function typed<Typed>(task: unknown): Typed {
  return task as Typed
}

function idOf(handle: TaskHandle<string>): string {
  return typeof handle === 'string' ? handle : handle.id
}

function pollTokenOf(handle: TaskHandle<string>): string | undefined {
  return typeof handle === 'string' ? undefined : handle.poll_token
}

/** Returns the header Idempotency-Key, which makes it safe to repeat a request whose response was lost. */
function keyHeader(key = createIdempotencyKey()): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': key }
}

/**
 * Returns 128 random bits in hexadecimal. `crypto.randomUUID` is not used, because it does not exist in pages
 * that were loaded over plain HTTP.
 */
export function createIdempotencyKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}
