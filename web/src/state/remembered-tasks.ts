// Remembered tasks: a list of the tasks that were submitted from this browser, newest first. All tabs share
// it through local storage.
import { type ReadonlySignal, signal } from '@preact/signals'
import { STATUSES, type Task, type TaskStatus } from '../api/api-client.ts'
import { isRecord } from '../parts/exact-json.ts'
import { readStored, writeStored } from '../parts/local-storage.ts'

export interface RememberedTask {
  id: string
  name: string
  /** Time of the submission (`created_at` of the task), in RFC 3339. */
  submittedAt: string
  /** Last known status; NOT_FOUND if the API has no task with this id, e.g. because it was deleted. */
  status: TaskStatus | 'NOT_FOUND'
}

export interface RememberedTasks {
  list: ReadonlySignal<RememberedTask[]>
  remember(task: Pick<Task, 'id' | 'name' | 'created_at' | 'status'>): void
  /** Stores a new status of a task. Does nothing if the task is not in the list. */
  noteStatus(id: string, status: RememberedTask['status']): void
  remove(id: string): void
  clear(): void
  /** Adds removed tasks again, to undo `remove` or `clear`. */
  restore(tasks: RememberedTask[]): void
}

/** Checks whether a task with this status is going to change without an action of a person. */
export function isUnfinished(status: RememberedTask['status']): boolean {
  return status === 'PENDING' || status === 'STARTED' || status === 'RETRY'
}

const KEY = 'waggle.tasks'
// Number of tasks that the list keeps: enough for a day of manual tests. The API has the whole history.
const MAX_TASKS = 50

export function createRememberedTasks(): RememberedTasks {
  const list = signal(tasksIn(readStored(KEY)))
  addEventListener('storage', ({ key }) => {
    if (key === KEY || key === null) list.value = tasksIn(readStored(KEY))
  })
  return {
    list,
    remember: ({ id, name, created_at: submittedAt, status }) =>
      change((tasks) => [{ id, name, submittedAt, status }, ...tasks]),
    noteStatus(id, status) {
      if (list.value.every((task) => task.id !== id || task.status === status)) return
      change((tasks) => tasks.map((task) => (task.id === id ? { ...task, status } : task)))
    },
    remove: (id) => change((tasks) => tasks.filter((task) => task.id !== id)),
    clear: () => change(() => []),
    restore: (removed) => change((tasks) => [...removed, ...tasks]),
  }

  function change(edit: (tasks: RememberedTask[]) => RememberedTask[]) {
    // Reads the list from local storage before the edit, because another tab may have changed it since this
    // tab read it. If local storage is disabled or contains no list, edits the copy in this tab's memory.
    const stored = readStored(KEY)
    const tasks = sorted(edit(stored === undefined ? list.value : tasksIn(stored)))
    writeStored(KEY, tasks)
    list.value = tasks
  }
}

function sorted(tasks: RememberedTask[]): RememberedTask[] {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  return [...byId.values()].sort((a, b) => b.submittedAt.localeCompare(a.submittedAt)).slice(0, MAX_TASKS)
}

function tasksIn(stored: unknown): RememberedTask[] {
  return Array.isArray(stored) ? sorted(stored.filter(isRememberedTask)) : []
}

function isRememberedTask(value: unknown): value is RememberedTask {
  return (
    isRecord(value) &&
    [value.id, value.name, value.submittedAt].every((text) => typeof text === 'string') &&
    (value.status === 'NOT_FOUND' || STATUSES.some((status) => status === value.status))
  )
}
