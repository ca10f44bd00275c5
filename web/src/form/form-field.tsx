// Renders a leaf field (a field without nested fields): label, hint, control and error message.
// form-group.tsx renders nested fields.
import type { InputHTMLAttributes } from 'preact'
import { Icon } from '../parts/icons.tsx'
import type { LeafField } from './schema-fields.ts'

export interface LeafFieldProps {
  id: string
  field: LeafField
  text: string
  /** Error message of the field; empty if it has none. */
  fault: string
  onText: (text: string) => void
}

/** Returns the id of the HTML element of a field. @param path path of the field in the form */
export function fieldId(formName: string, path: string): string {
  return `field-${formName}-${path}`
}

export function FormLeaf(props: LeafFieldProps) {
  const { id, field, fault } = props
  const isBox = field.kind === 'boolean'
  return (
    <div class={`field ${isBox ? 'is-box' : ''}`}>
      <label class="field-label" for={id}>
        <FieldLabel label={field.label} isRequired={field.isRequired && !field.isNullable} />
      </label>
      {field.description && (
        <p id={`${id}-hint`} class="field-hint">
          {field.description}
        </p>
      )}
      <Control {...props} />
      <FieldFault id={id} fault={fault} />
    </div>
  )
}

export function FieldLabel({ label, isRequired }: { label: string; isRequired: boolean }) {
  return (
    <>
      {label}
      {isRequired && (
        <span class="required" aria-hidden="true">
          {' *'}
        </span>
      )}
    </>
  )
}

export function FieldFault({ id, fault }: { id: string; fault: string }) {
  return fault === '' ? null : (
    <p id={`${id}-fault`} class="field-fault">
      <Icon name="warning" />
      <span>{fault}</span>
    </p>
  )
}

function Control({ id, field, text, fault, onText }: LeafFieldProps) {
  const { kind, isRequired, isNullable, description, example } = field
  const describedBy = [description && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ')
  const common = {
    id,
    name: field.name,
    required: isRequired && !isNullable,
    'aria-invalid': fault ? (true as const) : undefined,
    'aria-describedby': describedBy || undefined,
  }
  const placeholder = example && kind !== 'json' ? `e.g. ${example}` : undefined
  const onInput = (event: Event) => onText(textIn(event))

  switch (kind) {
    case 'boolean':
      return (
        <input
          {...common}
          type="checkbox"
          checked={text === 'true'}
          onChange={() => onText(text === 'true' ? 'false' : 'true')}
        />
      )
    case 'choice':
      return <Choice field={field} text={text} common={common} onInput={onInput} />
    case 'multiline':
    case 'json':
      return (
        <textarea
          {...common}
          class={kind === 'json' ? 'is-code' : undefined}
          rows={kind === 'json' ? 4 : 5}
          placeholder={kind === 'json' ? example || 'JSON' : placeholder}
          value={text}
          onInput={onInput}
        />
      )
    case 'date-time':
      return (
        <input {...common} type="datetime-local" step="1" value={localDateTime(text)} onInput={onInput} />
      )
    default:
      return (
        <input
          {...common}
          {...inputAttributes(field)}
          placeholder={placeholder}
          value={text}
          onInput={onInput}
        />
      )
  }
}

interface ChoiceProps {
  field: LeafField
  text: string
  common: object
  onInput: (event: Event) => void
}

function Choice({ field, text, common, onInput }: ChoiceProps) {
  return (
    <select {...common} value={text} onChange={onInput}>
      {(!field.isRequired || field.isNullable || text === '') && <option value="">Choose …</option>}
      {field.choices.map((choice) => (
        <option
          key={JSON.stringify(choice)}
          value={JSON.stringify(choice)}
          selected={JSON.stringify(choice) === text}
        >
          {typeof choice === 'boolean' ? (choice ? 'Yes' : 'No') : String(choice)}
        </option>
      ))}
    </select>
  )
}

function inputAttributes({ kind, limits }: LeafField): InputHTMLAttributes<HTMLInputElement> {
  if (kind === 'email') return { type: 'email', autocomplete: 'email' }
  if (kind === 'url') return { type: 'url' }
  if (kind === 'date') return { type: 'date' }
  if (kind === 'text' || kind === 'words' || kind === 'number-or-text') return { type: 'text' }
  // Numbers use type="text", because type="number" reports invalid text as empty. If negative numbers are
  // allowed, phones show the full keyboard, because their decimal keypad has no minus sign.
  const isPositive = (limits.minimum ?? limits.exclusiveMinimum ?? -1) >= 0
  return {
    type: 'text',
    inputmode: isPositive ? 'decimal' : 'text',
    autocomplete: 'off',
  }
}

/** Converts a timestamp with an offset to local time, as an input of type datetime-local expects it. */
function localDateTime(text: string): string {
  const date = new Date(text)
  if (!/(Z|[+-]\d\d:\d\d)$/i.test(text) || Number.isNaN(date.getTime())) return text
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

export function textIn({ target }: Event): string {
  const isControl =
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  return isControl ? target.value : ''
}
