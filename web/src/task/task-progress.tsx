// Progress bar of a task with its last progress message.
import type { Task } from '../api/api-client.ts'

export function TaskProgress({ task }: { task: Task }) {
  const { fraction, message } = task.progress
  const percent = Math.round(fraction * 100)
  // The progress of a running task is unknown until the task reports some; many definitions never do. Until
  // then the bar is indeterminate.
  const isUnknown = task.status === 'STARTED' && fraction === 0
  return (
    <div class="progress">
      <div
        class={`progress-bar ${isUnknown ? 'is-unknown' : ''}`}
        role="progressbar"
        aria-label="Progress"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={isUnknown ? undefined : percent}
      >
        <span class="progress-fill" style={{ transform: `translateX(${isUnknown ? 0 : percent - 100}%)` }} />
      </div>
      <p class="progress-text">
        <span class="progress-message">{message ?? defaultMessage(task)}</span>
        <span class="progress-percent">{isUnknown ? '' : `${percent} %`}</span>
      </p>
    </div>
  )
}

function defaultMessage({ status }: Task): string {
  return {
    PENDING: 'Not started',
    STARTED: 'Running',
    RETRY: 'Waiting for the next attempt',
    SUCCESS: 'Done',
    FAILURE: 'Failed',
    CANCELLED: 'Cancelled',
  }[status]
}
