// How far the task is, as a bar and in words.
import type { Task } from '../api/api-client.ts'

export function TaskProgress({ task }: { task: Task }) {
  const { fraction, message } = task.progress
  const percent = Math.round(fraction * 100)
  // Many tasks never say how far they are.
  const isUnknown = task.status === 'STARTED' && fraction === 0
  return (
    <div class="progress">
      <div
        class={`progress-bar ${isUnknown ? 'is-unknown' : ''}`}
        role="progressbar"
        aria-label="Progress"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow={isUnknown ? undefined : String(percent)}
      >
        <span class="progress-fill" style={{ transform: `translateX(${isUnknown ? 0 : percent - 100}%)` }} />
      </div>
      <p class="progress-text">
        <span class="progress-message">{message ?? restText(task)}</span>
        <span class="progress-percent">{isUnknown ? '' : `${percent} %`}</span>
      </p>
    </div>
  )
}

function restText({ status }: Task): string {
  return {
    PENDING: 'Not started yet',
    STARTED: 'At work',
    RETRY: 'Between two attempts',
    SUCCESS: 'Complete',
    FAILURE: 'Ended early',
    CANCELLED: 'Ended early',
  }[status]
}
