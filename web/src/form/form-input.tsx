// Renders the input of a task in its form: as fields, or as one text box with JSON.
import type { Draft } from './drafts.ts'
import type { Faults } from './field-values.ts'
import { FormLeaf, fieldId } from './form-field.tsx'
import { FormMembers, FormPart } from './form-group.tsx'
import { type FormState, JSON_PATH } from './form-state.ts'
import type { Field, LeafField } from './schema-fields.ts'

export interface FormInputProps {
  formName: string
  field: Field
  state: FormState
  faults: Faults
  onDraft: (draft: Draft, path: string) => void
  onJson: (json: string) => void
}

export function FormInput({ formName, field, state, faults, onDraft, onJson }: FormInputProps) {
  if (state.isJson) {
    return (
      <FormLeaf
        id={fieldId(formName, JSON_PATH)}
        field={JSON_FIELD}
        text={state.json}
        fault={faults[JSON_PATH] ?? ''}
        onText={onJson}
      />
    )
  }
  const common = { formName, draft: state.draft, path: '', faults, onDraft }
  if (field.kind === 'group') return <FormMembers {...common} field={field} />
  return <FormPart {...common} field={field} />
}

const JSON_FIELD: LeafField = {
  kind: 'json',
  name: 'json',
  label: 'Input as JSON',
  description: null,
  isRequired: true,
  isNullable: false,
  choices: [],
  limits: {},
  initial: '',
  example: '',
}
