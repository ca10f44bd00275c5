// The attempts that run in this process, with their abort signal, progress and log.
import type { ClaimedTask } from '../store/claim.ts'
import type { AttemptLog } from './attempt-log.ts'

/**
 * Why an attempt is aborted. `lost`: the task belongs to another attempt, so this result would be refused.
 */
export type AbortReason = 'cancelled' | 'timeout' | 'shutdown' | 'lost'

export interface RunningTask {
  task: ClaimedTask
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal
  /** Why it was aborted; undefined if it was not. */
  readonly abortReason: AbortReason | undefined
  /** Progress that no heartbeat has written yet. */
  progress?: { fraction: number; message?: string }
  /** Created with the first log line. */
  log?: AttemptLog
  abort(reason: AbortReason): void
}

/** The reason of an attempt's abort signal. `signal.throwIfAborted()` throws it. */
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
  /** Returns null if this attempt is already running here. */
  begin(task: ClaimedTask): RunningTask | null
  end(running: RunningTask): void
  all(): RunningTask[]
  /** Aborts the given attempt of the task, or without `attempt` every attempt of the task that runs here. */
  abort(taskId: string, reason: AbortReason, attempt?: number): void
  /** Resolves when no attempt is running. */
  whenEmpty(): Promise<void>
}

// More buckets than most workers have running tasks, so that few tasks share one.
const BUCKETS = 256

export function createRunningTasks(): RunningTasks {
  // A hash table by the last digits of the id, which are random. Not a Map or Set: when one grows or shrinks,
  // V8 allocates a new table, and the old table still references its entries. With a thousand short tasks per
  // second, these tables fill the old generation with finished tasks.
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
  // Created on demand: most tasks never read their signal.
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

/** One task can run twice here: an old attempt that has lost its claim, and a new attempt. */
function isAttempt({ task }: RunningTask, { id, attempt }: Pick<ClaimedTask, 'id' | 'attempt'>): boolean {
  return task.id === id && task.attempt === attempt
}
