// One field with its label, hint and message.

import { Icon } from '../parts/icons.tsx'
import type { Field } from './form-fields.ts'

export interface FormFieldProps {
  id: string
  field: Field
  text: string
  /** Empty when nothing is wrong. */
  fault: string
  onText: (text: string) => void
}

export function fieldId(definitionName: string, fieldName: string): string {
  return `field-${definitionName}-${fieldName}`
}

export function FormField(props: FormFieldProps) {
  const { id, field, fault } = props
  const isBox = field.kind === 'boolean'
  return (
    <div class={`field ${isBox ? 'is-box' : ''}`}>
      <label class="field-label" for={id}>
        {field.label}
        {field.isRequired && (
          <span class="required" aria-hidden="true">
            {' *'}
          </span>
        )}
      </label>
      {field.description && (
        <p id={`${id}-hint`} class="field-hint">
          {field.description}
        </p>
      )}
      <Control {...props} />
      {fault && (
        <p id={`${id}-fault`} class="field-fault">
          <Icon name="warning" />
          <span>{fault}</span>
        </p>
      )}
    </div>
  )
}

function Control({ id, field, text, fault, onText }: FormFieldProps) {
  const { kind, isRequired, description, example } = field
  const describedBy = [description && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ')
  const common = {
    id,
    name: field.name,
    required: isRequired,
    'aria-invalid': fault ? 'true' : undefined,
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
      return (
        <select {...common} value={text} onChange={onInput}>
          {(!isRequired || text === '') && <option value="">Choose …</option>}
          {field.choices.map((choice) => (
            <option
              key={JSON.stringify(choice)}
              value={JSON.stringify(choice)}
              selected={JSON.stringify(choice) === text}
            >
              {String(choice)}
            </option>
          ))}
        </select>
      )
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
    default:
      return (
        <input {...common} {...inputLook(field)} placeholder={placeholder} value={text} onInput={onInput} />
      )
  }
}

function inputLook({ kind, limits }: Field) {
  if (kind === 'email') return { type: 'email', autocomplete: 'email' }
  if (kind === 'url') return { type: 'url' }
  if (kind === 'text') return { type: 'text' }
  // Not type="number", which hides what it does not understand. A keypad of digits has no minus.
  const isPositive = (limits.minimum ?? limits.exclusiveMinimum ?? -1) >= 0
  return {
    type: 'text',
    inputmode: isPositive ? ('decimal' as const) : ('text' as const),
    autocomplete: 'off',
  }
}

function textIn({ target }: Event): string {
  const isControl =
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  return isControl ? target.value : ''
}
