// Follows tasks for whoever waits for them: told by a signal when one has ended, and asking once a second for all that
// are watched, in one query, however many watch.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { TaskRow } from '../store/schema.ts'
import type { KnownTask } from '../store/task-reader.ts'
import type { Events } from '../telemetry/events.ts'

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

interface Watcher {
  /** What it has seen, or been given; undefined while it is still reading the row. */
  version: number | undefined
  /** Given, and not taken yet: nobody else keeps a row. */
  news: TaskRow | undefined
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
      const watcher: Watcher = { version: undefined, news: undefined, wake: () => {} }
      const watchers = watched.get(taskId) ?? new Set()
      watched.set(taskId, watchers.add(watcher))
      watching ??= watch()
      return {
        get isOver() {
          return isStopped
        },
        next(version, timeoutMs, signal) {
          watcher.version = Math.max(watcher.version ?? version, version)
          if (watcher.news && watcher.news.version <= version) watcher.news = undefined
          return new Promise((resolve) => {
            const finish = () => {
              clearTimeout(timer)
              signal?.removeEventListener('abort', finish)
              waiting.delete(finish)
              watcher.wake = () => {}
              resolve(watcher.news)
              watcher.news = undefined
            }
            const timer = setTimeout(finish, timeoutMs)
            watcher.wake = finish
            signal?.addEventListener('abort', finish)
            waiting.add(finish)
            if (watcher.news || signal?.aborted || isStopped) finish()
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
      body: look,
      onError: (error) => events.emit('error.transient', { where: 'watching tasks', error }),
    })
    // A task may have ended while we were not heard yet: look again once we are.
    return { loop, unlisten: signals.listen('ended', lookAtEnded, loop.wake) }
  }

  async function look() {
    const known = [...watched].flatMap(([id, watchers]) => oldestKnown(id, watchers))
    if (known.length > 0) return tell(await findChanged(known))
    if (watched.size > 0) return
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
        (error) => events.emit('error.transient', { where: 'watching tasks', error }),
      )
    }
  }

  function tell(rows: TaskRow[]) {
    for (const row of rows) {
      for (const watcher of [...(watched.get(row.id) ?? [])]) {
        // Two reads may overtake each other.
        if (watcher.version !== undefined && row.version <= watcher.version) continue
        watcher.version = row.version
        watcher.news = row
        watcher.wake()
      }
    }
  }
}

/** What the one has seen who has seen least: whoever is behind is to be told. */
function oldestKnown(id: string, watchers: Set<Watcher>): KnownTask[] {
  const versions = [...watchers].flatMap(({ version }) => version ?? [])
  return versions.length > 0 ? [{ id, version: Math.min(...versions) }] : []
}
