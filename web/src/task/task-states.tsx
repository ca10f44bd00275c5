// What stands in the place of a task that is not there yet, or cannot be shown.
import type { Access } from '../api/access.ts'
import { LackingNotice } from '../api/access-notice.tsx'
import type { ApiFault } from '../api/api-answer.ts'
import { HexagonIcon } from '../parts/icons.tsx'

export function LoadingTask({ isUp }: { isUp: boolean }) {
  return (
    <div
      class="skeleton"
      role="status"
      aria-label={isUp ? 'Asking the API for this task' : 'Waiting for the API'}
    >
      <span class="skeleton-line is-short" />
      <span class="skeleton-line" />
      <span class="skeleton-line is-tall" />
    </div>
  )
}

interface RefusedTaskProps {
  fault: ApiFault
  access: Access
  /** What can be done about it, in the words of the place. */
  goneText: string
  onDismiss: () => void
}

export function RefusedTask({ fault, access, goneText, onDismiss }: RefusedTaskProps) {
  const isGone = fault.status === 404
  return (
    <div class="empty tone-warn" role="status">
      <HexagonIcon sign="question" />
      <h2>{isGone ? 'The API does not know this task' : 'This task cannot be shown'}</h2>
      {fault.status === 403 ? (
        <LackingNotice access={access} scope="read" />
      ) : (
        <p>
          {isGone
            ? 'It may have been deleted, or the database was emptied since it was submitted.'
            : fault.detail}
        </p>
      )}
      <button type="button" class="button" onClick={onDismiss}>
        {isGone ? goneText : 'Close'}
      </button>
    </div>
  )
}
