// The form of one definition, made from its JSON Schema.
import { useEffect, useMemo, useRef, useState } from 'hono/jsx/dom'
import type { Access } from '../api/access.ts'
import { LackingNotice } from '../api/access-notice.tsx'
import type { ApiFault } from '../api/api-answer.ts'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import {
  type Draft,
  draftText,
  exampleDraft,
  type Faults,
  faultsByField,
  readField,
  readForm,
} from './field-values.ts'
import { FormField, fieldId } from './form-field.tsx'
import { type Field, fieldsOf } from './form-fields.ts'
import type { HeldReason } from './submission.ts'

export interface TaskFormProps {
  definition: Definition
  draft: Draft
  onDraft: (draft: Draft) => void
  /** Told when the task begins and ends to wait for the API. */
  onHeld: (isHeld: boolean) => void
  access: Access
  submit: Page['submit']
}

type Phase = 'editing' | 'sending' | HeldReason

export function TaskForm({ definition, draft, onDraft, onHeld, access, submit }: TaskFormProps) {
  const isAllowed = !useObservable(access.state).lacking.includes('submit')
  const fields = useMemo(() => fieldsOf(definition), [definition])
  const [faults, setFaults] = useState<Faults>({})
  const [formFault, setFormFault] = useState<string | null>(null)
  const [phase, setPhase] = useState<Phase>('editing')
  const sending = useRef<AbortController>(null)
  const isHeld = phase !== 'editing' && phase !== 'sending'
  // Also when the fields could not be used for a while, and so lost the focus.
  useEffect(focusFirst, [isHeld])
  // Nobody could take back any more what waits in a form that is gone.
  useEffect(() => () => sending.current?.abort(), [])

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (phase !== 'editing' || !isAllowed) return
    const { input, faults } = readForm(fields, draft)
    if (show(faults, null)) return
    const leaving = new AbortController()
    sending.current = leaving
    setPhase('sending')
    const answer = await submit(definition.name, input, hold, leaving.signal)
    setPhase('editing')
    onHeld(false)
    if (!answer.ok) showFault(answer.fault)
  }

  function hold(reason: HeldReason) {
    setPhase(reason)
    onHeld(true)
  }

  /** @returns whether there was anything to show */
  function show(faults: Faults, formFault: string | null): boolean {
    setFaults(faults)
    setFormFault(formFault)
    const first = fields.find(({ name }) => faults[name])
    if (first) document.getElementById(fieldId(definition.name, first.name))?.focus()
    return first !== undefined || formFault !== null
  }

  function showFault(fault: ApiFault) {
    // What the key lacks is told by itself.
    if (fault.kind === 'aborted' || fault.status === 403) return
    const { faults, rest } = faultsByField(fields, fault.errors)
    const isAllAtFields = Object.keys(faults).length > 0 && rest.length === 0
    show(faults, isAllAtFields ? null : formFaultOf(fault, rest))
  }

  function onText(field: Field, text: string) {
    onDraft({ ...draft, [field.name]: text })
    // A message goes as soon as what it says is mended. New ones come with the next try to submit: if they came when a
    // field is left, what is clicked at that moment would move away from under the pointer.
    if (faults[field.name]) setFaults({ ...faults, [field.name]: readField(field, text).fault ?? '' })
  }

  function fillExample() {
    onDraft(exampleDraft(fields))
    setFaults({})
    setFormFault(null)
  }

  return (
    <form
      class="form"
      noValidate
      onSubmit={onSubmit}
      onKeyDown={ignoreHeldEnter}
      aria-busy={phase === 'editing' ? 'false' : 'true'}
    >
      <p class="form-description">{definition.description}</p>
      <fieldset class="form-fields" disabled={isHeld}>
        <legend class="visually-hidden">{definition.title}</legend>
        {fields.map((field) => (
          <FormField
            key={field.name}
            id={fieldId(definition.name, field.name)}
            field={field}
            text={draftText(field, draft)}
            fault={faults[field.name] ?? ''}
            onText={(text) => onText(field, text)}
          />
        ))}
      </fieldset>
      <div class="form-notice" role="alert">
        {formFault && (
          <p class="notice tone-bad">
            <Icon name="warning" />
            <span>{formFault}</span>
          </p>
        )}
      </div>
      <LackingNotice access={access} scope="submit" />
      {isHeld && (
        <p class="notice tone-warn" role="status">
          <Icon name="unplugged" />
          <span>{HELD[phase]}</span>
        </p>
      )}
      <div class="form-actions">
        {isHeld ? (
          <button key="drop" type="button" class="button" onClick={() => sending.current?.abort()}>
            {phase === 'unanswered' ? 'Do not send again' : 'Do not send'}
          </button>
        ) : (
          <button
            key="submit"
            type="submit"
            class="button is-primary"
            onClick={ignoreDoubleClick}
            aria-disabled={phase === 'sending' || !isAllowed ? 'true' : 'false'}
          >
            {phase === 'sending' ? 'Submitting …' : 'Submit task'}
          </button>
        )}
        {!isHeld && (
          <button type="button" class="button is-quiet" onClick={fillExample}>
            <Icon name="example" />
            Use the example
          </button>
        )}
        {fields.some(({ isRequired }) => isRequired) && (
          <p class="form-legend">
            <span class="required" aria-hidden="true">
              *
            </span>{' '}
            required
          </p>
        )}
      </div>
    </form>
  )
}

const HELD = {
  away: 'This task waits here, and is sent by itself when the API is back.',
  unanswered:
    'The API did not answer, so it may have taken this task. It is sent again by itself when the API is back, and runs as one task.',
  limited:
    'The API takes no more from here for now. This task waits here, and is sent by itself in a moment.',
} as const satisfies Record<HeldReason, string>

/** The second click of a double click would submit the task once more. */
function ignoreDoubleClick(event: MouseEvent) {
  if (event.detail > 1) event.preventDefault()
}

/** As would an Enter that is held down. */
function ignoreHeldEnter(event: KeyboardEvent) {
  const isNewLine = event.target instanceof HTMLTextAreaElement
  if (event.key === 'Enter' && event.repeat && !isNewLine) event.preventDefault()
}

/** Typing can begin at once, where that does not open a keyboard over half of the screen. */
function focusFirst() {
  const isFree = document.activeElement === document.body
  if (!isFree || !matchMedia('(pointer: fine)').matches) return
  document
    .querySelector<HTMLElement>('.form-fields input, .form-fields textarea, .form-fields select')
    ?.focus()
}

function formFaultOf(fault: ApiFault, rest: string[]): string {
  if (fault.status === 401) return 'The API takes this only with a key. What you entered is still here.'
  return [fault.detail, ...rest].join(' ')
}
