// Waits until tasks end: told by a signal, and asking once a second for all waiters together.
import { type Loop, startLoop } from './loop.ts'
import type { Signals } from './signals.ts'
import type { Events } from './telemetry/events.ts'

export interface TaskWatcher {
  /**
   * Resolves when the task may have ended, or `timeoutMs` have passed, or the signal aborts. Call it, then read the row,
   * then await it: what ends in between is not missed.
   */
  waitUntilEnded(taskId: string, timeoutMs: number, signal?: AbortSignal): Promise<void>
  stop(): Promise<void>
}

export interface TaskWatcherDependencies {
  findFinished: (taskIds: string[]) => Promise<string[]>
  signals: Signals
  events: Events
}

export function createTaskWatcher({ findFinished, signals, events }: TaskWatcherDependencies): TaskWatcher {
  const waiters = new Map<string, Set<() => void>>()
  let watching: { unlisten: () => void; loop: Loop } | null = null

  return {
    waitUntilEnded(taskId, timeoutMs, signal) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', done)
          remove(taskId, done)
          resolve()
        }
        const timer = setTimeout(done, timeoutMs)
        signal?.addEventListener('abort', done)
        add(taskId, done)
      })
    },
    async stop() {
      for (const done of [...waiters.values()].flatMap((set) => [...set])) done()
      watching?.unlisten()
      await watching?.loop.stop()
      watching = null
    },
  }

  function add(taskId: string, done: () => void) {
    const set = waiters.get(taskId) ?? new Set()
    waiters.set(taskId, set.add(done))
    watching ??= watch()
  }

  function remove(taskId: string, done: () => void) {
    const set = waiters.get(taskId)
    set?.delete(done)
    if (set?.size === 0) waiters.delete(taskId)
  }

  function watch() {
    const loop = startLoop({
      intervalMs: 1_000,
      body: look,
      onError: (error) => events.emit('trouble', { where: 'waiting for tasks', error }),
    })
    // A task may have ended while we were not heard yet: look again once we are.
    return { loop, unlisten: signals.listen('ended', wake, loop.wake) }
  }

  async function look() {
    if (waiters.size > 0) return wake(await findFinished([...waiters.keys()]))
    // A round without any waiter: a finished task costs this process nothing from here on.
    watching?.unlisten()
    void watching?.loop.stop()
    watching = null
  }

  function wake(taskIds: string[]) {
    for (const taskId of taskIds) {
      for (const done of waiters.get(taskId) ?? []) done()
    }
  }
}
