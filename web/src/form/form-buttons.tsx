// Buttons below a form: submit the task, stop a submission that waits for the API, and fill in the example.
import { Icon } from '../parts/icons.tsx'
import type { SubmissionPhase } from '../state/submission.ts'

export interface FormButtonsProps {
  phase: SubmissionPhase
  /** The submit button is disabled if this is false: the API key is known to lack the scope for the form. */
  isAllowed: boolean
  submitLabel: string
  /** Whether to show a legend that explains the asterisk of required fields. */
  hasLegend: boolean
  onStop: () => void
  onExample: () => void
}

export function FormButtons(props: FormButtonsProps) {
  const { phase, isAllowed, submitLabel, hasLegend, onStop, onExample } = props
  const isWaiting = phase !== 'editing' && phase !== 'sending'
  return (
    <div class="form-actions">
      {isWaiting ? (
        <button key="drop" type="button" class="button" onClick={onStop}>
          {phase === 'unconfirmed' ? 'Do not send again' : 'Do not send'}
        </button>
      ) : (
        <button
          key="submit"
          type="submit"
          class="button is-primary"
          onClick={ignoreDoubleClick}
          aria-disabled={phase === 'sending' || !isAllowed ? 'true' : 'false'}
        >
          {phase === 'sending' ? 'Submitting …' : submitLabel}
        </button>
      )}
      {!isWaiting && (
        <button type="button" class="button is-quiet" onClick={onExample}>
          <Icon name="example" />
          Use the example
        </button>
      )}
      {hasLegend && (
        <p class="form-legend">
          <span class="required" aria-hidden="true">
            *
          </span>{' '}
          required
        </p>
      )}
    </div>
  )
}

/** Ignores the second click of a double click, which would submit a second task. */
function ignoreDoubleClick(event: MouseEvent) {
  if (event.detail > 1) event.preventDefault()
}
