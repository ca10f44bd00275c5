// The tasks submitted from this browser: kept in its local storage, newest first, the same in all its tabs.
import { isRecord } from '../api/api-answer.ts'
import type { Task, TaskStatus } from '../api/api-client.ts'
import { createObservable, type Observable } from '../parts/observable.ts'

export interface RememberedTask {
  id: string
  name: string
  /** RFC 3339 */
  submittedAt: string
  /** As last seen; GONE when the API did not know the task any more. */
  status: TaskStatus | 'GONE'
}

export interface RememberedTasks {
  list: Observable<RememberedTask[]>
  remember(task: Pick<Task, 'id' | 'name' | 'created_at' | 'status'>): void
  /** Does nothing for a task that is not in the list. */
  noteStatus(id: string, status: RememberedTask['status']): void
  remove(id: string): void
  clear(): void
  /** Puts back what `remove` or `clear` took away. */
  restore(tasks: RememberedTask[]): void
}

/** Whether the status may still change by itself. */
export function isUnfinished(status: RememberedTask['status']): boolean {
  return status === 'PENDING' || status === 'STARTED' || status === 'RETRY'
}

const KEY = 'waggle.tasks'
// Enough for a day of trying things; a longer history is the API's business.
const MAX_TASKS = 50

export function createRememberedTasks(): RememberedTasks {
  const list = createObservable(read())
  addEventListener('storage', ({ key }) => {
    if (key === KEY || key === null) list.set(read())
  })
  return {
    list,
    remember: ({ id, name, created_at: submittedAt, status }) =>
      change((tasks) => [{ id, name, submittedAt, status }, ...tasks]),
    noteStatus(id, status) {
      if (list.get().every((task) => task.id !== id || task.status === status)) return
      change((tasks) => tasks.map((task) => (task.id === id ? { ...task, status } : task)))
    },
    remove: (id) => change((tasks) => tasks.filter((task) => task.id !== id)),
    clear: () => change(() => []),
    restore: (removed) => change((tasks) => [...removed, ...tasks]),
  }

  function change(edit: (tasks: RememberedTask[]) => RememberedTask[]) {
    // Read anew: another tab may have added to it.
    const tasks = tidied(edit(isStorageUsable() ? read() : list.get()))
    write(tasks)
    list.set(tasks)
  }
}

function tidied(tasks: RememberedTask[]): RememberedTask[] {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  return [...byId.values()].sort((a, b) => b.submittedAt.localeCompare(a.submittedAt)).slice(0, MAX_TASKS)
}

function read(): RememberedTask[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(value) ? tidied(value.filter(isRememberedTask)) : []
  } catch {
    return []
  }
}

function write(tasks: RememberedTask[]) {
  try {
    localStorage.setItem(KEY, JSON.stringify(tasks))
  } catch {
    // Storage is full or not allowed: the list lives as long as the page does.
  }
}

function isStorageUsable(): boolean {
  try {
    return localStorage.getItem(KEY) !== null
  } catch {
    return false
  }
}

function isRememberedTask(value: unknown): value is RememberedTask {
  return (
    isRecord(value) &&
    [value.id, value.name, value.submittedAt, value.status].every((text) => typeof text === 'string')
  )
}
