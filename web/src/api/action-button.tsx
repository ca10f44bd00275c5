// A button that asks the API to change something.
import { type Access, withKey } from './access.ts'
import type { Answer } from './api-answer.ts'
import { useAction } from './use-action.ts'

export interface ActionButtonProps {
  access: Access
  text: string
  /** What it says to those who do not see what it stands beside. */
  label: string
  perform: () => Promise<Answer<unknown>>
  /** Called when it was done. */
  onDone: () => void
}

export function ActionButton({ access, text, label, perform, onDone }: ActionButtonProps) {
  const { isDead, refusal, press } = useAction(access)
  const ask = () => withKey(access, perform)
  return (
    <span class="action">
      <span class="action-refusal" role="alert">
        {refusal}
      </span>
      <button
        type="button"
        class="button is-small"
        aria-label={label}
        aria-disabled={isDead ? 'true' : 'false'}
        onClick={async (event: MouseEvent) => {
          if (await press(event, ask)) onDone()
        }}
      >
        {text}
      </button>
    </span>
  )
}
