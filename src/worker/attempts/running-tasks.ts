// Keeps the attempts that run in this process, with their AbortSignal, progress and log.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { TimeLimit } from '../../base/time-limit.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { AttemptLog } from './attempt-log.ts'

/**
 * Why an attempt is aborted. `lost`: it is no longer the current attempt of its task, so its result would be
 * refused. `stray error`: its code has thrown outside of its promise.
 */
export type AbortReason = 'cancelled' | 'timeout' | 'shutdown' | 'lost' | 'stray error'

/** Identifies an attempt. It is small, because asynchronous work of the attempt keeps it in memory. */
export interface AttemptKey {
  readonly taskId: string
  readonly attempt: number
}

/** The async context in which the code of each attempt runs. */
export type AttemptScope = AsyncLocalStorage<AttemptKey>

/** For how long an attempt has blocked the event loop, as its worker has measured. */
export interface LoopBlock {
  /** Sum of all blocks, in milliseconds, to about a quarter of a second. Short blocks do not count. */
  ms: number
  /** Length of the longest block, in milliseconds. */
  longestMs: number
  /** What ran in the longest block: the innermost stack frames, as `function file:line`. */
  frames: string[]
}

export interface RunningTask {
  task: ClaimedTask
  /** AbortSignal for the handler of this attempt. Its reason is an `AttemptAborted`. */
  readonly signal: AbortSignal
  /** Why the attempt was aborted; undefined if it was not aborted. */
  readonly abortReason: AbortReason | undefined
  /** The error that the code of this attempt has thrown outside of its promise, if it did. */
  readonly strayError: unknown
  readonly key: AttemptKey
  /** When the attempt began, by `performance.now()`. */
  readonly startedMs: number
  /** True when its handler has returned, or was given up because it ignored its abort. */
  isOver: boolean
  /** True if its handler runs in an isolated process, which is killed if the handler ignores its abort. */
  isIsolated: boolean
  /**
   * Set while the handler still runs although the attempt was given up. Resolves when the end of the attempt
   * is written.
   */
  givenUp: Promise<void> | undefined
  /** Runs while an aborted handler has time to return. */
  graceTimer: TimeLimit | undefined
  /** Last progress that the handler has reported; undefined when a heartbeat has written it to Postgres. */
  progress?: { fraction: number; message?: string }
  /** Log of the attempt; undefined until its first line. */
  log?: AttemptLog
  /** Stack of the error that the handler has thrown, if the project has hooks. */
  stack?: string
  /** Undefined if the attempt has not blocked the event loop. */
  block?: LoopBlock
  abort(reason: AbortReason): void
  /**
   * Aborts the attempt because of an error outside of its promise. An attempt that is aborted already keeps
   * its reason.
   */
  abortBecauseOf(strayError: unknown): void
}

/** The `reason` of an attempt's AbortSignal. `signal.throwIfAborted()` throws it. */
export class AttemptAborted extends Error {
  readonly reason: AbortReason

  constructor(reason: AbortReason) {
    super(`This attempt was aborted: ${reason}`)
    this.name = 'AbortError'
    this.reason = reason
  }
}

export interface RunningTasks {
  readonly size: number
  /** Adds an attempt. Returns null if the same attempt is already running in this process. */
  begin(task: ClaimedTask): RunningTask | null
  end(running: RunningTask): void
  all(): RunningTask[]
  /** Returns the attempt if it is running in this process. */
  find(key: AttemptKey): RunningTask | undefined
  /** Aborts one attempt of a task, or without `attempt` all attempts of the task that run in this process. */
  abort(taskId: string, reason: AbortReason, attempt?: number): void
  /** Resolves when no attempt is running. */
  whenEmpty(): Promise<void>
}

// Number of buckets of the hash table below: one for each value of two hexadecimal digits. Most workers run
// fewer tasks at the same time, so few tasks share a bucket.
const BUCKETS = 256

export interface RunningTasksOptions {
  /** Async context of the attempts. By default a new one is created. */
  scope?: AttemptScope
  /** Called when an attempt is aborted for the first time and its handler has not returned. */
  onAborted?: (running: RunningTask) => void
}

export function createRunningTasks({
  scope = new AsyncLocalStorage(),
  onAborted = () => {},
}: RunningTasksOptions = {}): RunningTasks {
  // Hash table of the running attempts by the last two digits of the task id, which are random. It replaces a
  // Map, which would keep finished tasks in V8's old generation at a thousand short tasks per second: a Map
  // allocates a new table whenever it grows or shrinks, and the old table still references its entries.
  // With a Map the whole system runs about 1 % fewer tasks per second.
  const buckets: RunningTask[][] = Array.from({ length: BUCKETS }, () => [])
  let size = 0
  let emptied: (() => void)[] = []

  return {
    get size() {
      return size
    },
    begin(task) {
      const bucket = bucketOf(task.id)
      if (bucket.some((running) => isAttempt(running, task))) return null
      const attempt = new Attempt(task, scope, onAborted)
      bucket.push(attempt)
      size++
      return attempt
    },
    end(running) {
      const bucket = bucketOf(running.task.id)
      const place = bucket.indexOf(running)
      if (place < 0) return
      const last = bucket.pop()
      if (last && last !== running) bucket[place] = last
      size--
      if (size > 0) return
      for (const resolve of emptied) resolve()
      emptied = []
    },
    all: () => buckets.flat(),
    find: ({ taskId, attempt }) =>
      bucketOf(taskId).find((running) => isAttempt(running, { id: taskId, attempt })),
    abort(id, reason, attempt) {
      for (const running of bucketOf(id)) {
        if (isAttempt(running, { id, attempt: attempt ?? running.task.attempt })) running.abort(reason)
      }
    },
    whenEmpty() {
      if (size === 0) return Promise.resolve()
      return new Promise((resolve) => {
        emptied.push(resolve)
      })
    },
  }

  function bucketOf(id: string): RunningTask[] {
    return buckets[(Number.parseInt(id.slice(-2), 16) || 0) % BUCKETS] as RunningTask[]
  }
}

class Attempt implements RunningTask {
  readonly task: ClaimedTask
  progress: RunningTask['progress']
  log: RunningTask['log']
  block: RunningTask['block']
  stack: RunningTask['stack']
  readonly key: AttemptKey
  readonly startedMs = performance.now()
  isOver = false
  isIsolated = false
  givenUp: RunningTask['givenUp']
  graceTimer: RunningTask['graceTimer']
  strayError: unknown
  private readonly scope: AttemptScope
  private readonly onAborted: (running: RunningTask) => void
  // The AbortController is created on demand, because most handlers never read their AbortSignal.
  private controller: AbortController | undefined

  constructor(task: ClaimedTask, scope: AttemptScope, onAborted: (running: RunningTask) => void) {
    this.task = task
    this.key = { taskId: task.id, attempt: task.attempt }
    this.scope = scope
    this.onAborted = onAborted
  }

  get signal(): AbortSignal {
    return this.controlled().signal
  }

  get abortReason(): AbortReason | undefined {
    const reason: unknown = this.controller?.signal.reason
    return reason instanceof AttemptAborted ? reason.reason : undefined
  }

  abort(reason: AbortReason) {
    const controller = this.controlled()
    if (controller.signal.aborted) return
    // The abort listeners are code of the task: an error in them must be attributed to it.
    this.scope.run(this.key, () => controller.abort(new AttemptAborted(reason)))
    if (!this.isOver) this.onAborted(this)
  }

  abortBecauseOf(strayError: unknown) {
    if (this.abortReason !== undefined) return
    this.strayError = strayError
    this.abort('stray error')
  }

  private controlled(): AbortController {
    this.controller ??= new AbortController()
    return this.controller
  }
}

/**
 * Compares task id and attempt number, because two attempts of one task can run in this process: an old one
 * that has lost its claim, and a new one.
 */
function isAttempt({ task }: RunningTask, { id, attempt }: Pick<ClaimedTask, 'id' | 'attempt'>): boolean {
  return task.id === id && task.attempt === attempt
}
