// Placeholder for a task that is not loaded yet, could not be loaded, or cannot be read without an API key.
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import type { ApiFault } from '../api/api-response.ts'
import type { Page } from '../page.ts'
import { HexagonIcon } from '../parts/icons.tsx'
import { Skeleton } from '../parts/skeleton.tsx'

export interface TaskPlaceholderProps {
  page: Page
  /** Why the task could not be loaded; undefined before the first response. */
  fault: ApiFault | undefined
  /** Label of the button that dismisses the placeholder of a task that does not exist. */
  dismissText: string
  onDismiss: () => void
}

export function TaskPlaceholder({ page, fault, dismissText, onDismiss }: TaskPlaceholderProps) {
  const { isUp } = page.connection.state.value
  const { isKeyRequired } = page.access.state.value
  if (!fault) {
    return isKeyRequired ? (
      <Locked access={page.access} text="Enter a key to see this task." />
    ) : (
      <Skeleton
        label={isUp ? 'Loading the task' : 'Waiting for the API'}
        lines={['short', 'normal', 'tall']}
      />
    )
  }
  const isMissing = fault.status === 404
  return (
    <div class="empty tone-warn" role="status">
      <HexagonIcon sign="question" />
      <h2>{isMissing ? 'Task not found' : 'This task cannot be shown'}</h2>
      {fault.status === 403 ? (
        <MissingScopeNotice access={page.access} scope="read" />
      ) : (
        <p>
          {isMissing
            ? 'It may have been deleted, or the database was emptied after its submission.'
            : fault.detail}
        </p>
      )}
      <button type="button" class="button" onClick={onDismiss}>
        {isMissing ? dismissText : 'Close'}
      </button>
    </div>
  )
}
