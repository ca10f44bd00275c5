// Follows tasks for whoever waits for them: told by a signal when one has ended, and asking once a second for all that
// are watched, in one query, however many watch.
import { type Loop, startLoop } from './loop.ts'
import type { Signals } from './signals.ts'
import type { TaskRow } from './store/schema.ts'
import type { KnownTask } from './store/task-reader.ts'
import type { Events } from './telemetry/events.ts'

export interface TaskWatcher {
  /** Begins to watch. Subscribe first and read the row then: what changes in between is not missed. */
  subscribe(taskId: string): TaskSubscription
  /** Lets go of everybody who waits. */
  stop(): Promise<void>
}

export interface TaskSubscription {
  /** The watcher has stopped: there will be nothing new. */
  readonly isOver: boolean
  /**
   * Resolves with the task as soon as it is newer than this version; with undefined when `timeoutMs` have passed, the
   * signal aborts, or the watcher stops. What changes several times meanwhile is seen once, as it is.
   */
  next(version: number, timeoutMs: number, signal?: AbortSignal): Promise<TaskRow | undefined>
  close(): void
}

export interface TaskWatcherDependencies {
  /** Those of these tasks that are no longer as they are known. */
  findChanged: (known: KnownTask[]) => Promise<TaskRow[]>
  find: (taskId: string) => Promise<TaskRow | undefined>
  signals: Signals
  events: Events
}

interface WatchedTask {
  /** As last seen by anybody who watches it here. */
  row: TaskRow | undefined
  /** Called with every new version. */
  watchers: Set<() => void>
}

export function createTaskWatcher(dependencies: TaskWatcherDependencies): TaskWatcher {
  const { findChanged, find, signals, events } = dependencies
  const watched = new Map<string, WatchedTask>()
  const waiting = new Set<() => void>()
  let isStopped = false
  let watching: { unlisten: () => void; loop: Loop } | null = null

  return {
    subscribe(id) {
      const taskId = id.toLowerCase()
      const task = watched.get(taskId) ?? { row: undefined, watchers: new Set() }
      watched.set(taskId, task)
      watching ??= watch()
      let wake = () => {}
      const watcher = () => wake()
      task.watchers.add(watcher)
      return {
        get isOver() {
          return isStopped
        },
        next(version, timeoutMs, signal) {
          return new Promise((resolve) => {
            const finish = () => {
              clearTimeout(timer)
              signal?.removeEventListener('abort', finish)
              waiting.delete(finish)
              wake = () => {}
              resolve(newerThan(task, version))
            }
            const timer = setTimeout(finish, timeoutMs)
            wake = () => newerThan(task, version) && finish()
            signal?.addEventListener('abort', finish)
            waiting.add(finish)
            if (newerThan(task, version) || signal?.aborted || isStopped) finish()
          })
        },
        close() {
          task.watchers.delete(watcher)
          if (task.watchers.size === 0 && watched.get(taskId) === task) watched.delete(taskId)
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
      body: look,
      onError: (error) => events.emit('trouble', { where: 'watching tasks', error }),
    })
    // A task may have ended while we were not heard yet: look again once we are.
    return { loop, unlisten: signals.listen('ended', lookAtEnded, loop.wake) }
  }

  async function look() {
    const known = [...watched].map(([id, { row }]) => ({ id, version: row?.version ?? -1 }))
    if (known.length > 0) return tell(await findChanged(known))
    // A round without any watcher: a task that ends costs this process nothing from here on.
    watching?.unlisten()
    void watching?.loop.stop()
    watching = null
  }

  /** Those that ended together are read together; a million others that end cost a look into a map each. */
  function lookAtEnded(taskIds: string[]) {
    for (const taskId of taskIds) {
      if (!watched.has(taskId)) continue
      find(taskId).then(
        (row) => row && tell([row]),
        (error) => events.emit('trouble', { where: 'watching tasks', error }),
      )
    }
  }

  function tell(rows: TaskRow[]) {
    for (const row of rows) {
      const task = watched.get(row.id)
      // Two reads may overtake each other.
      if (!task || row.version <= (task.row?.version ?? -1)) continue
      task.row = row
      for (const watcher of [...task.watchers]) watcher()
    }
  }
}

function newerThan({ row }: WatchedTask, version: number): TaskRow | undefined {
  return row && row.version > version ? row : undefined
}
