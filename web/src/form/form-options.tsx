// Renders the options of a submission (queue, delay, …). They are collapsed until the person opens them or
// one of them has an error.
import { useState } from 'preact/hooks'
import { asGroup, type Draft } from './drafts.ts'
import type { Faults } from './field-values.ts'
import { FormMembers } from './form-group.tsx'
import { OPTIONS_FIELD, OPTIONS_PATH } from './run-options.ts'

export interface FormOptionsProps {
  formName: string
  draft: Draft
  faults: Faults
  onDraft: (draft: Draft, path: string) => void
}

export function FormOptions({ formName, draft, faults, onDraft }: FormOptionsProps) {
  const [isExpanded, setIsExpanded] = useState(false)
  const isOpen = isExpanded || Object.keys(faults).some((path) => path.startsWith(OPTIONS_PATH))
  const count = Object.values(asGroup(draft).members).filter((text) => text !== '').length
  const id = `options-${formName}`
  return (
    <div class="form-options">
      <button
        type="button"
        class="button is-quiet is-small form-options-head"
        aria-expanded={isOpen ? 'true' : 'false'}
        aria-controls={id}
        onClick={() => setIsExpanded(!isOpen)}
      >
        {count > 0 ? `Options (${count} set)` : 'Options'}
      </button>
      {isOpen && (
        <div id={id} class="form-options-fields">
          <FormMembers
            formName={formName}
            field={OPTIONS_FIELD}
            draft={draft}
            path={OPTIONS_PATH}
            faults={faults}
            onDraft={onDraft}
          />
        </div>
      )}
    </div>
  )
}
