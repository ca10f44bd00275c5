// Watches tasks for requests that wait for changes. A signal reports the end of a task. In addition, one
// query per second reads changes of all watched tasks, however many watchers there are.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { TaskRow } from '../store/schema.ts'
import type { KnownTask } from '../store/task-reader.ts'
import type { Events } from '../telemetry/events.ts'

export interface TaskWatcher {
  /** Starts to watch. Subscribe before you read the row, so that no change is missed in between. */
  subscribe(taskId: string): TaskSubscription
  /** Ends all waits. */
  stop(): Promise<void>
}

export interface TaskSubscription {
  /** True after the watcher has stopped: no further changes are reported. */
  readonly isOver: boolean
  /**
   * Resolves with the task as soon as it is newer than `version`. Resolves with undefined after `timeoutMs`,
   * when the signal aborts, or when the watcher stops. Several changes between two calls are reported once,
   * with the last state.
   */
  next(version: number, timeoutMs: number, signal?: AbortSignal): Promise<TaskRow | undefined>
  close(): void
}

export interface TaskWatcherDependencies {
  /** Returns the tasks whose version differs from the known one. */
  findChanged: (known: KnownTask[]) => Promise<TaskRow[]>
  find: (taskId: string) => Promise<TaskRow | undefined>
  signals: Signals
  events: Events
}

interface Watcher {
  /** Newest version that the watcher knows; undefined until it has read the row. */
  version: number | undefined
  /** A newer row that `next` has not returned yet. */
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
    // A task may have ended before the subscription was active. So query once when it becomes active.
    return { loop, unlisten: signals.listen('ended', readEnded, loop.wake) }
  }

  async function queryChanges() {
    const known = [...watched].flatMap(([id, watchers]) => oldestKnown(id, watchers))
    if (known.length > 0) return notify(await findChanged(known))
    if (watched.size > 0) return
    // No watchers in this round: unsubscribe, so that signals cost this process nothing.
    watching?.unlisten()
    void watching?.loop.stop()
    watching = null
  }

  /**
   * `find` reads concurrent tasks in one query. A signal for a task without watchers costs one map lookup.
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
        // Two reads can resolve in the wrong order.
        if (watcher.version !== undefined && row.version <= watcher.version) continue
        watcher.version = row.version
        watcher.newer = row
        watcher.wake()
      }
    }
  }
}

/** The lowest version that a watcher of the task knows, so that every watcher gets what it lacks. */
function oldestKnown(id: string, watchers: Set<Watcher>): KnownTask[] {
  const versions = [...watchers].flatMap(({ version }) => version ?? [])
  return versions.length > 0 ? [{ id, version: Math.min(...versions) }] : []
}
