// The attempts that run in this process right now: how to abort them, and how far they are.
import type { ClaimedTask } from '../store/task-store.ts'
import type { AttemptLog } from './attempt-log.ts'

/** Why an attempt is told to stop. `lost`: the task was given to another worker, nobody waits for this result. */
export type AbortReason = 'cancelled' | 'timeout' | 'shutdown' | 'lost'

export interface RunningTask {
  task: ClaimedTask
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal
  /** Why it was told to stop; undefined while it was not. */
  readonly abortReason: AbortReason | undefined
  /** Set until a heartbeat has carried it. */
  progress?: { fraction: number; message?: string }
  /** Absent until it has logged something. */
  log?: AttemptLog
  abort(reason: AbortReason): void
}

/** The reason of an attempt's signal, and what a task throws that lets its signal throw. */
export class AttemptAborted extends Error {
  readonly reason: AbortReason

  constructor(reason: AbortReason) {
    super(`This attempt was told to stop: ${reason}`)
    this.name = 'AbortError'
    this.reason = reason
  }
}

export interface RunningTasks {
  readonly size: number
  /** null when this very attempt runs already. */
  begin(task: ClaimedTask): RunningTask | null
  end(running: RunningTask): void
  all(): RunningTask[]
  /** Aborts this attempt of the task, or whichever runs here when none is named. */
  abort(taskId: string, reason: AbortReason, attempt?: number): void
  /** Resolves when nothing runs any more. */
  whenEmpty(): Promise<void>
}

// More than run in most workers, so that few share one.
const BUCKETS = 256

export function createRunningTasks(): RunningTasks {
  // By the end of the id, which is random. Not a map or a set: what V8 leaves of one whenever it grows or shrinks still
  // holds what was in it, and each of these leftovers keeps the next from being collected. A thousand short tasks a second
  // fill the old generation with their remains.
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
  // Made when it is asked for: many tasks are over before anybody could abort them.
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

/** One task may run twice here: an old attempt that lost its claim, and its successor. */
function isAttempt({ task }: RunningTask, { id, attempt }: Pick<ClaimedTask, 'id' | 'attempt'>): boolean {
  return task.id === id && task.attempt === attempt
}
