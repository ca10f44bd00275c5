// Caches the last response of the API, a task or an error, for every task that this page has requested.
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Task } from '../api/api-client.ts'
import type { ApiFault } from '../api/api-response.ts'
import type { RememberedTasks } from './remembered-tasks.ts'
import type { SubmittedTask } from './submission.ts'

export interface LoadedTask {
  kind: 'loaded'
  task: Task
  /** When the response arrived, by the server's clock. */
  loadedAtMs: number
}

export type CachedTask = LoadedTask | { kind: 'failed'; fault: ApiFault }

export interface TaskCache {
  byId: ReadonlySignal<ReadonlyMap<string, CachedTask>>
  get(id: string): CachedTask | undefined
  /**
   * Stores a task. If it has no `attempts`, as in responses to submit, cancel and retry, the attempts that
   * are already cached are kept. What it waits for is then not known until the next read.
   */
  put(task: SubmittedTask & Partial<Task>): void
  putFault(id: string, fault: ApiFault): void
  dropFaults(): void
  clear(): void
}

export function createTaskCache(remembered: RememberedTasks, nowMs: () => number): TaskCache {
  const byId = signal<ReadonlyMap<string, CachedTask>>(new Map())
  return {
    byId,
    get: (id) => byId.value.get(id),
    put(task) {
      const cached = { attempts: cachedAttempts(task.id), waits_for: null, ...task }
      set(task.id, { kind: 'loaded', task: cached, loadedAtMs: nowMs() })
      remembered.noteStatus(task.id, task.status)
    },
    putFault(id, fault) {
      set(id, { kind: 'failed', fault })
      if (fault.status === 404) remembered.noteStatus(id, 'NOT_FOUND')
    },
    dropFaults: () => (byId.value = new Map([...byId.value].filter(([, { kind }]) => kind === 'loaded'))),
    clear: () => (byId.value = new Map()),
  }

  function set(id: string, cached: CachedTask) {
    byId.value = new Map(byId.value).set(id, cached)
  }

  function cachedAttempts(id: string): Task['attempts'] {
    const cached = byId.value.get(id)
    return cached?.kind === 'loaded' ? cached.task.attempts : []
  }
}
