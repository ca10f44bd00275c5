// A button that sends a change to the API, and shows the reason if the API refuses it.
import { type Access, withKey } from './access.ts'
import type { ApiResponse } from './api-response.ts'
import { useAction } from './use-action.ts'

export interface ActionButtonProps {
  access: Access
  text: string
  /** Accessible name. Unlike `text` it also names the changed object, e.g. "Pause the queue default". */
  label: string
  perform: () => Promise<ApiResponse<unknown>>
  /** Called after the API has accepted the change. */
  onDone: () => void
}

export function ActionButton({ access, text, label, perform, onDone }: ActionButtonProps) {
  const { isDisabled, refusal, press } = useAction(access)
  return (
    <span class="action">
      <span class="action-refusal" role="alert">
        {refusal}
      </span>
      <button
        type="button"
        class="button is-small"
        aria-label={label}
        aria-disabled={isDisabled ? 'true' : 'false'}
        onClick={async (event: MouseEvent) => {
          if (await press(event, () => withKey(access, perform))) onDone()
        }}
      >
        {text}
      </button>
    </span>
  )
}
