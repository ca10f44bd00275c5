// What can be done with a task, and why it was refused.
import { type Child, useState } from 'hono/jsx/dom'
import type { Access } from '../api/access.ts'
import type { Answer } from '../api/api-answer.ts'
import type { Task, TaskStatus } from '../api/api-client.ts'
import { useAction } from '../api/use-action.ts'
import { Icon } from '../parts/icons.tsx'

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
  const { isDead, refusal, press } = useAction(access)
  const [statusThen, setStatusThen] = useState<TaskStatus>(task.status)

  function perform(action: () => Promise<Answer<unknown>>, event: MouseEvent) {
    setStatusThen(task.status)
    void press(event, action)
  }

  const isAskedToStop = task.cancel_requested_at !== null
  return (
    <div class="card-actions">
      <p class="card-refusal" role="alert">
        {/* A refusal is about the status that it was given for. */}
        {refusal !== '' && statusThen === task.status && (
          <>
            <Icon name="warning" /> {refusal}
          </>
        )}
      </p>
      {!task.is_final && (
        <button
          type="button"
          class="button"
          aria-disabled={isDead || isAskedToStop ? 'true' : 'false'}
          onClick={(event: MouseEvent) => isAskedToStop || perform(cancel, event)}
        >
          {isAskedToStop ? 'Cancelling …' : 'Cancel task'}
        </button>
      )}
      {(task.status === 'FAILURE' || task.status === 'CANCELLED') && (
        <button
          type="button"
          class="button"
          aria-disabled={isDead ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(retry, event)}
        >
          Retry task
        </button>
      )}
      {replay && (
        <button
          type="button"
          class="button"
          aria-disabled={isDead ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(replay, event)}
        >
          Replay
        </button>
      )}
      {children}
    </div>
  )
}
