// Watches tasks for requests that wait for their changes. A Redis signal reports the end of a task. In
// addition, one query per second reads the changes of all watched tasks, however many requests wait.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { TaskRow } from '../store/schema.ts'
import type { KnownTask } from '../store/task-reader.ts'
import type { Events } from '../telemetry/events.ts'

export interface TaskWatcher {
  /** Starts to watch a task. Call it before you read the task, so that no change in between is missed. */
  subscribe(taskId: string): TaskSubscription
  /** Resolves all pending calls of `next`, and stops the listener for Redis signals and the query loop. */
  stop(): Promise<void>
}

export interface TaskSubscription {
  /** True after `TaskWatcher.stop`: no further changes are reported. */
  readonly isOver: boolean
  /**
   * Resolves with the latest state of the task as soon as its version is higher than `version`. Resolves with
   * undefined after `timeoutMs`, when the AbortSignal aborts, or when the watcher stops.
   */
  next(version: number, timeoutMs: number, signal?: AbortSignal): Promise<TaskRow | undefined>
  close(): void
}

export interface TaskWatcherDependencies {
  /** Resolves with those of the given tasks whose version in Postgres differs from the given version. */
  findChanged: (known: KnownTask[]) => Promise<TaskRow[]>
  find: (taskId: string) => Promise<TaskRow | undefined>
  signals: Signals
  events: Events
}

interface Watcher {
  /**
   * Highest version of the task that this watcher knows: from a row that it received or from a call of
   * `next`. Undefined before the first of these.
   */
  version: number | undefined
  /** Row of a newer version that `next` has not returned yet. */
  newer: TaskRow | undefined
  wake: () => void
}

export function createTaskWatcher(dependencies: TaskWatcherDependencies): TaskWatcher {
  const { findChanged, find, signals, events } = dependencies
  const watched = new Map<string, Set<Watcher>>()
  const waiting = new Set<() => void>()
  let isStopped = false
  let watching: { unlisten: () => void; loop: Loop } | null = null

  return {
    subscribe(id) {
      const taskId = id.toLowerCase()
      const watcher: Watcher = { version: undefined, newer: undefined, wake: () => {} }
      const watchers = watched.get(taskId) ?? new Set()
      watched.set(taskId, watchers.add(watcher))
      watching ??= watch()
      return {
        get isOver() {
          return isStopped
        },
        next(version, timeoutMs, signal) {
          watcher.version = Math.max(watcher.version ?? version, version)
          if (watcher.newer && watcher.newer.version <= version) watcher.newer = undefined
          return new Promise((resolve) => {
            const finish = () => {
              clearTimeout(timer)
              signal?.removeEventListener('abort', finish)
              waiting.delete(finish)
              watcher.wake = () => {}
              resolve(watcher.newer)
              watcher.newer = undefined
            }
            const timer = setTimeout(finish, timeoutMs)
            watcher.wake = finish
            signal?.addEventListener('abort', finish)
            waiting.add(finish)
            if (watcher.newer || signal?.aborted || isStopped) finish()
          })
        },
        close() {
          watchers.delete(watcher)
          if (watchers.size === 0 && watched.get(taskId) === watchers) watched.delete(taskId)
        },
      }
    },
    async stop() {
      isStopped = true
      for (const finish of [...waiting]) finish()
      watching?.unlisten()
      await watching?.loop.stop()
      watching = null
    },
  }

  function watch() {
    const loop = startLoop({
      intervalMs: 1_000,
      body: queryChanges,
      onError: (error) => events.emit('error.transient', { where: 'watching tasks', error }),
    })
    // Wakes the query loop when the Redis subscription becomes active, because signals that were sent before
    // may have been missed.
    return { loop, unlisten: signals.listen('ended', readEnded, loop.wake) }
  }

  async function queryChanges() {
    const known = [...watched].flatMap(([id, watchers]) => oldestKnown(id, watchers))
    if (known.length > 0) return notify(await findChanged(known))
    if (watched.size > 0) return
    // No task is watched: removes the listener for Redis signals and stops this loop, so that an idle watcher
    // costs nothing. The next `subscribe` starts both again.
    watching?.unlisten()
    void watching?.loop.stop()
    watching = null
  }

  /**
   * Handles a Redis signal that tasks have ended: reads those that are watched, and passes their rows to
   * their watchers. One `find` per task is cheap, because concurrent calls of `find` share one query.
   */
  function readEnded(taskIds: string[]) {
    for (const taskId of taskIds) {
      if (!watched.has(taskId)) continue
      find(taskId).then(
        (row) => row && notify([row]),
        (error) => events.emit('error.transient', { where: 'watching tasks', error }),
      )
    }
  }

  function notify(rows: TaskRow[]) {
    for (const row of rows) {
      for (const watcher of [...(watched.get(row.id) ?? [])]) {
        // Skips a row that is not newer, because two reads of a task can resolve in the wrong order.
        if (watcher.version !== undefined && row.version <= watcher.version) continue
        watcher.version = row.version
        watcher.newer = row
        watcher.wake()
      }
    }
  }
}

/**
 * Returns the task and its version for the query that reads changed rows, as a list with one item; an empty
 * list if no watcher of the task knows a version yet. If watchers know different versions, it returns the
 * lowest, so that the query also finds rows that only some of them have received.
 */
function oldestKnown(id: string, watchers: Set<Watcher>): KnownTask[] {
  const versions = [...watchers].flatMap(({ version }) => version ?? [])
  return versions.length > 0 ? [{ id, version: Math.min(...versions) }] : []
}
