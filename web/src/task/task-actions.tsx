// What can be done with a task, and why it was refused.
import { type Child, useState } from 'hono/jsx/dom'
import type { Access } from '../api/access.ts'
import type { Answer } from '../api/api-answer.ts'
import type { Task, TaskStatus } from '../api/api-client.ts'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'

export interface TaskActionsProps {
  task: Task
  access: Access
  cancel: () => Promise<Answer<unknown>>
  retry: () => Promise<Answer<unknown>>
  /** Submits it once more as a new task; absent where that is not offered. */
  replay?: () => Promise<Answer<unknown>>
  /** More buttons. */
  children?: Child
}

export function TaskActions({ task, access, cancel, retry, replay, children }: TaskActionsProps) {
  const isAllowed = !useObservable(access.state).lacking.includes('operate')
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState<{ text: string; status: TaskStatus } | null>(null)

  async function perform(action: () => Promise<Answer<unknown>>, event: MouseEvent) {
    // The second click of a double click would undo what the first one did.
    if (isBusy || !isAllowed || event.detail > 1) return
    setIsBusy(true)
    setRefusal(null)
    const answer = await action()
    setIsBusy(false)
    // What the key lacks is told by itself.
    if (!answer.ok && answer.fault.status !== 403)
      setRefusal({ text: answer.fault.detail, status: task.status })
  }

  const isAskedToStop = task.cancel_requested_at !== null
  return (
    <div class="card-actions">
      <p class="card-refusal" role="alert">
        {/* A refusal is about the status that it was given for. */}
        {refusal?.status === task.status && (
          <>
            <Icon name="warning" /> {refusal.text}
          </>
        )}
      </p>
      {!task.is_final && (
        <button
          type="button"
          class="button"
          aria-disabled={isBusy || !isAllowed || isAskedToStop ? 'true' : 'false'}
          onClick={(event: MouseEvent) => isAskedToStop || perform(cancel, event)}
        >
          {isAskedToStop ? 'Cancelling …' : 'Cancel task'}
        </button>
      )}
      {(task.status === 'FAILURE' || task.status === 'CANCELLED') && (
        <button
          type="button"
          class="button"
          aria-disabled={isBusy || !isAllowed ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(retry, event)}
        >
          Retry task
        </button>
      )}
      {replay && (
        <button
          type="button"
          class="button"
          aria-disabled={isBusy || !isAllowed ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(replay, event)}
        >
          Replay
        </button>
      )}
      {children}
    </div>
  )
}
