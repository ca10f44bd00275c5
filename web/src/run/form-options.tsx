// When and how the task is run: closed until somebody wants it, or something in it is wrong.
import { useState } from 'hono/jsx/dom'
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
  const [isWanted, setIsWanted] = useState(false)
  const isOpen = isWanted || Object.keys(faults).some((path) => path.startsWith(OPTIONS_PATH))
  const count = Object.values(asGroup(draft).members).filter((text) => text !== '').length
  const id = `options-${formName}`
  return (
    <div class="form-options">
      <button
        type="button"
        class="button is-quiet is-small form-options-head"
        aria-expanded={isOpen ? 'true' : 'false'}
        aria-controls={id}
        onClick={() => setIsWanted(!isOpen)}
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
