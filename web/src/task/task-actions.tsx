// Buttons that cancel, retry or replay a task, and the reason if the API has refused the last action.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Task, TaskStatus } from '../api/api-client.ts'
import type { ApiResponse } from '../api/api-response.ts'
import { useAction } from '../api/use-action.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'

export interface TaskActionsProps {
  page: Page
  task: Task
  /** Submits a copy of the task. If it is undefined, there is no button "Replay". */
  replay?: () => Promise<ApiResponse<unknown>>
  /** Additional buttons, rendered after the standard ones. */
  children?: ComponentChildren
}

export function TaskActions({ page, task, replay, children }: TaskActionsProps) {
  const { isDisabled, refusal, press } = useAction(page.access)
  const [statusAtPress, setStatusAtPress] = useState<TaskStatus>(task.status)

  function perform(action: () => Promise<ApiResponse<unknown>>, event: MouseEvent) {
    setStatusAtPress(task.status)
    void press(event, action)
  }

  const isCancelling = task.cancel_requested_at !== null
  return (
    <div class="card-actions">
      <p class="card-refusal" role="alert">
        {/* Hides the refusal when the task's status has changed since the click: it no longer applies. */}
        {refusal !== '' && statusAtPress === task.status && (
          <>
            <Icon name="warning" /> {refusal}
          </>
        )}
      </p>
      {!task.is_final && (
        <button
          type="button"
          class="button"
          aria-disabled={isDisabled || isCancelling ? 'true' : 'false'}
          onClick={(event: MouseEvent) => isCancelling || perform(() => page.cancel(task.id), event)}
        >
          {isCancelling ? 'Cancelling …' : 'Cancel task'}
        </button>
      )}
      {(task.status === 'FAILURE' || task.status === 'CANCELLED') && (
        <button
          type="button"
          class="button"
          aria-disabled={isDisabled ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(() => page.retry(task.id), event)}
        >
          Retry task
        </button>
      )}
      {replay && (
        <button
          type="button"
          class="button"
          aria-disabled={isDisabled ? 'true' : 'false'}
          onClick={(event: MouseEvent) => perform(replay, event)}
        >
          Replay
        </button>
      )}
      {children}
    </div>
  )
}
