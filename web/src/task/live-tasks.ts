// The tasks as the API last showed them to this page.
import type { ApiFault } from '../api/api-answer.ts'
import type { Task } from '../api/api-client.ts'
import { createObservable, type Observable } from '../parts/observable.ts'
import type { RememberedTasks } from '../run/remembered-tasks.ts'

export type LiveTask =
  /** `seenAtMs` by the server's clock */
  { kind: 'seen'; task: Task; seenAtMs: number } | { kind: 'refused'; fault: ApiFault }

export interface LiveTasks {
  byId: Observable<ReadonlyMap<string, LiveTask>>
  find(id: string): LiveTask | undefined
  /** Answers to submit, cancel and retry come without the history, which stays as it was known. */
  saw(task: Omit<Task, 'attempts'> & Partial<Pick<Task, 'attempts'>>): void
  wasRefused(id: string, fault: ApiFault): void
  forgetRefusals(): void
  clear(): void
}

export function createLiveTasks(remembered: RememberedTasks, nowMs: () => number): LiveTasks {
  const byId = createObservable<ReadonlyMap<string, LiveTask>>(new Map())
  return {
    byId,
    find: (id) => byId.get().get(id),
    saw(task) {
      put(task.id, { kind: 'seen', task: { attempts: historyOf(task.id), ...task }, seenAtMs: nowMs() })
      remembered.noteStatus(task.id, task.status)
    },
    wasRefused(id, fault) {
      put(id, { kind: 'refused', fault })
      if (fault.status === 404) remembered.noteStatus(id, 'GONE')
    },
    forgetRefusals: () => byId.set(new Map([...byId.get()].filter(([, { kind }]) => kind === 'seen'))),
    clear: () => byId.set(new Map()),
  }

  function put(id: string, live: LiveTask) {
    byId.set(new Map(byId.get()).set(id, live))
  }

  function historyOf(id: string): Task['attempts'] {
    const known = byId.get().get(id)
    return known?.kind === 'seen' ? known.task.attempts : []
  }
}
