// Keeps the attempts that run in this process, with their AbortSignal, progress and log.
import type { ClaimedTask } from '../store/claim.ts'
import type { AttemptLog } from './attempt-log.ts'

/**
 * Why an attempt is aborted. `lost`: it is no longer the current attempt of its task, so its result would be
 * refused.
 */
export type AbortReason = 'cancelled' | 'timeout' | 'shutdown' | 'lost'

export interface RunningTask {
  task: ClaimedTask
  /** AbortSignal for the handler of this attempt. Its reason is an `AttemptAborted`. */
  readonly signal: AbortSignal
  /** Why the attempt was aborted; undefined if it was not aborted. */
  readonly abortReason: AbortReason | undefined
  /** Last progress that the handler has reported; undefined when a heartbeat has written it to Postgres. */
  progress?: { fraction: number; message?: string }
  /** Log of the attempt; undefined until its first line. */
  log?: AttemptLog
  abort(reason: AbortReason): void
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
  /** Aborts one attempt of a task, or without `attempt` all attempts of the task that run in this process. */
  abort(taskId: string, reason: AbortReason, attempt?: number): void
  /** Resolves when no attempt is running. */
  whenEmpty(): Promise<void>
}

// Number of buckets of the hash table below: one for each value of two hexadecimal digits. Most workers run
// fewer tasks at the same time, so few tasks share a bucket.
const BUCKETS = 256

export function createRunningTasks(): RunningTasks {
  // Hash table of the running attempts by the last two digits of the task id, which are random. It replaces a
  // Map, which would keep finished tasks in V8's old generation at a thousand short tasks per second: a Map
  // allocates a new table whenever it grows or shrinks, and the old table still references its entries.
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
      const attempt = new Attempt(task)
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
  // The AbortController is created on demand, because most handlers never read their AbortSignal.
  private controller: AbortController | undefined

  constructor(task: ClaimedTask) {
    this.task = task
  }

  get signal(): AbortSignal {
    return this.controlled().signal
  }

  get abortReason(): AbortReason | undefined {
    const reason: unknown = this.controller?.signal.reason
    return reason instanceof AttemptAborted ? reason.reason : undefined
  }

  abort(reason: AbortReason) {
    this.controlled().abort(new AttemptAborted(reason))
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
