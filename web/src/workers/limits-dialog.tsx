// Dialog in which the limits of a queue are set and removed.
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { withKey } from '../api/access.ts'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { Queue } from '../api/api-client.ts'
import type { ApiFault } from '../api/api-response.ts'
import { type Draft, draftOf } from '../form/drafts.ts'
import type { Faults } from '../form/field-values.ts'
import { faultsByField } from '../form/form-faults.ts'
import { fieldId } from '../form/form-field.tsx'
import { FormMembers } from '../form/form-group.tsx'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import { type GivenLimits, LIMITS_FIELD, readLimits } from './limits-field.ts'

export interface LimitsDialogProps {
  /** The queue whose limits the dialog shows; null closes the dialog. */
  queue: Queue | null
  page: Page
  onClose: () => void
  /** Called after the API has accepted the limits. */
  onSaved: () => void
}

export function LimitsDialog({ queue, page, onClose, onSaved }: LimitsDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const isOpen = queue !== null
  useLayoutEffect(() => {
    if (!isOpen) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector('input')?.focus()
  }, [isOpen])
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="limits-title" onClose={onClose}>
      {queue && <LimitsForm key={queue.name} queue={queue} page={page} onClose={onClose} onSaved={onSaved} />}
    </dialog>
  )
}

// Begins the ids of the fields.
const FORM = 'limits'

type LimitsFormProps = Omit<LimitsDialogProps, 'queue'> & { queue: Queue }

function LimitsForm({ queue, page, onClose, onSaved }: LimitsFormProps) {
  const { api, access } = page
  const isAllowed = !access.state.value.missingScopes.includes('operate')
  const [draft, setDraft] = useState<Draft>(() => draftOf(LIMITS_FIELD, withoutNulls(queue.limits)))
  const [faults, setFaults] = useState<Faults>({})
  const [formFault, setFormFault] = useState('')
  const [isSending, setIsSending] = useState(false)

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (isSending || !isAllowed) return
    const { limits, faults } = readLimits(draft)
    if (show(faults, '')) return
    setIsSending(true)
    const response = await withKey(access, () => api.setQueueLimits(queue.name, limits))
    setIsSending(false)
    if (!response.ok) return showFault(response.fault)
    onSaved()
    onClose()
  }

  function showFault({ status, detail, errors }: ApiFault) {
    // `MissingScopeNotice` says which scope the API key lacks.
    if (status === 403) return
    const { faults, rest } = faultsByField(LIMITS_FIELD, null, errors, '')
    const isAllAtFields = Object.keys(faults).length > 0 && rest.length === 0
    show(faults, isAllAtFields ? '' : [detail, ...rest.map((fault) => fault.detail)].join(': '))
  }

  /** Shows errors and focuses the first invalid field. @returns whether there is an error */
  function show(faults: Faults, formFault: string): boolean {
    setFaults(faults)
    setFormFault(formFault)
    const [first] = Object.keys(faults)
    if (first !== undefined) document.getElementById(fieldId(FORM, first))?.focus()
    return first !== undefined || formFault !== ''
  }

  return (
    <form class="key-form" noValidate onSubmit={onSubmit} aria-busy={isSending ? 'true' : 'false'}>
      <h2 id="limits-title" class="panel-title">{`Limits of the queue ${queue.name}`}</h2>
      <p class="key-lead">
        They apply to all tasks of the queue, over all workers. Empty fields remove a limit.
      </p>
      <div class="form-fields">
        <FormMembers
          formName={FORM}
          field={LIMITS_FIELD}
          draft={draft}
          path=""
          faults={faults}
          onDraft={(changed, path) => {
            setDraft(changed)
            setFaults(Object.fromEntries(Object.entries(faults).filter(([at]) => at !== path)))
          }}
        />
      </div>
      <div class="form-notice" role="alert">
        {formFault !== '' && (
          <p class="notice tone-bad">
            <Icon name="warning" />
            <span>{formFault}</span>
          </p>
        )}
      </div>
      <MissingScopeNotice access={access} scope="operate" />
      <div class="key-actions">
        <button type="button" class="button is-quiet" onClick={onClose}>
          Not now
        </button>
        <button
          type="submit"
          class="button is-primary"
          aria-disabled={isSending || !isAllowed ? 'true' : 'false'}
        >
          {isSending ? 'Saving …' : 'Save limits'}
        </button>
      </div>
    </form>
  )
}

/** Returns the limits as the fields show them: a limit that is not set has no member. */
function withoutNulls(limits: Queue['limits']): GivenLimits {
  const { concurrency, rate_limit } = limits ?? {}
  return { ...(concurrency && { concurrency }), ...(rate_limit && { rate_limit }) }
}
