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

export function createRunningTasks(): RunningTasks {
  const byAttempt = new Map<string, RunningTask>()
  let emptied: (() => void)[] = []

  return {
    get size() {
      return byAttempt.size
    },
    begin(task) {
      if (byAttempt.has(keyOf(task))) return null
      const running = createRunningTask(task)
      byAttempt.set(keyOf(task), running)
      return running
    },
    end({ task }) {
      byAttempt.delete(keyOf(task))
      if (byAttempt.size > 0) return
      for (const resolve of emptied) resolve()
      emptied = []
    },
    all: () => [...byAttempt.values()],
    abort(taskId, reason, attempt) {
      for (const running of byAttempt.values()) {
        const isMeant =
          running.task.id === taskId && (attempt ?? running.task.attempt) === running.task.attempt
        if (isMeant) running.abort(reason)
      }
    },
    whenEmpty() {
      if (byAttempt.size === 0) return Promise.resolve()
      return new Promise((resolve) => {
        emptied.push(resolve)
      })
    },
  }
}

function createRunningTask(task: ClaimedTask): RunningTask {
  // Made when it is asked for: many tasks are over before anybody could abort them.
  let controller: AbortController | undefined
  const controlled = () => {
    controller ??= new AbortController()
    return controller
  }
  return {
    task,
    get signal() {
      return controlled().signal
    },
    get abortReason() {
      const reason: unknown = controller?.signal.reason
      return reason instanceof AttemptAborted ? reason.reason : undefined
    },
    abort: (reason) => controlled().abort(new AttemptAborted(reason)),
  }
}

// One task may run twice here: an old attempt that lost its claim, and its successor.
function keyOf({ id, attempt }: ClaimedTask): string {
  return `${id} ${attempt}`
}
