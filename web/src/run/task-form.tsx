// The form of one definition, made from its JSON Schema: to submit a task, or to submit one again with another input.
import { useMemo, useRef, useState } from 'hono/jsx/dom'
import type { Access, Scope } from '../api/access.ts'
import { LackingNotice } from '../api/access-notice.tsx'
import type { Answer, ApiFault, FieldFault } from '../api/api-answer.ts'
import type { Definition, Submission } from '../api/api-client.ts'
import { useEffect } from '../parts/effect.ts'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import type { Draft } from './drafts.ts'
import { type Faults, faultsByField } from './field-values.ts'
import { fieldId } from './form-field.tsx'
import { fieldOfInput } from './form-fields.ts'
import { FormInput } from './form-input.tsx'
import { FormOptions } from './form-options.tsx'
import { asFields, asJson, type FormState, JSON_PATH, readState, stateOf } from './form-state.ts'
import { lastInputs } from './last-inputs.ts'
import { LastInputsMenu } from './last-inputs-menu.tsx'
import { OPTIONS_FIELD, OPTIONS_PATH } from './run-options.ts'
import type { HeldReason } from './submission.ts'

export interface TaskFormProps {
  definition: Definition
  state: FormState
  onState: (state: FormState) => void
  /** Told when the task begins and ends to wait for the API. */
  onHeld: (isHeld: boolean) => void
  access: Access
  /** What a key must be good for. */
  scope: Scope
  submitLabel: string
  submit: (
    submission: Submission,
    onHeld: (reason: HeldReason) => void,
    signal: AbortSignal,
  ) => Promise<Answer<unknown>>
}

type Phase = 'editing' | 'sending' | HeldReason

export function TaskForm(props: TaskFormProps) {
  const { definition, state, onState, onHeld, access, scope, submitLabel, submit } = props
  const isAllowed = !useObservable(access.state).lacking.includes(scope)
  const field = useMemo(() => fieldOfInput(definition), [definition])
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
    const { input, options, faults } = readState(field, state)
    if (show(faults, null)) return
    const leaving = new AbortController()
    sending.current = leaving
    setPhase('sending')
    const submission = { name: definition.name, input, options }
    const answer = await submit(submission, hold, leaving.signal)
    setPhase('editing')
    onHeld(false)
    if (answer.ok) lastInputs.remember(submission)
    else showFault(answer.fault)
  }

  function hold(reason: HeldReason) {
    setPhase(reason)
    onHeld(true)
  }

  /** @returns whether there was anything to show */
  function show(faults: Faults, formFault: string | null): boolean {
    setFaults(faults)
    setFormFault(formFault)
    const [first] = Object.keys(faults)
    // After what it stands in has been opened.
    if (first !== undefined)
      requestAnimationFrame(() => document.getElementById(fieldId(definition.name, first))?.focus())
    return first !== undefined || formFault !== null
  }

  function showFault(fault: ApiFault) {
    // What the key lacks is told by itself.
    if (fault.kind === 'aborted' || fault.status === 403) return
    const atInput = state.isJson
      ? { faults: {}, rest: fault.errors }
      : faultsByField(field, 'input', fault.errors)
    const atOptions = faultsByField(OPTIONS_FIELD, 'options', atInput.rest, OPTIONS_PATH)
    const faults = { ...atInput.faults, ...atOptions.faults }
    const isAllAtFields = Object.keys(faults).length > 0 && atOptions.rest.length === 0
    show(faults, isAllAtFields ? null : formFaultOf(fault, atOptions.rest))
  }

  /**
   * A message goes as soon as what it says is mended. New ones come with the next try to submit: if they came when a
   * field is left, what is clicked at that moment would move away from under the pointer.
   */
  function onChange(changes: Partial<FormState>, path: string) {
    const changed = { ...state, ...changes }
    onState(changed)
    const others = Object.entries(faults).filter(([at]) => at !== path && !at.startsWith(`${path}/`))
    const left = path in faults ? readState(field, changed).faults[path] : undefined
    setFaults({ ...Object.fromEntries(others), ...(left && { [path]: left }) })
  }

  function fill(filled: FormState) {
    onState(filled)
    setFaults({})
    setFormFault(null)
  }

  function toggleJson() {
    const toggled = state.isJson ? asFields(field, state) : asJson(field, state)
    if (typeof toggled === 'string') show({ [JSON_PATH]: toggled }, null)
    else fill(toggled)
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
        <FormInput
          formName={definition.name}
          field={field}
          state={state}
          faults={faults}
          onDraft={(draft, path) => onChange({ draft }, path)}
          onJson={(json) => onChange({ json }, JSON_PATH)}
        />
        <div class="form-tools">
          <LastInputsMenu
            definitionName={definition.name}
            onChoose={({ input, options }) => fill(stateOf(field, input, options))}
          />
          {field.kind === 'group' && (
            <button
              type="button"
              class="button is-quiet is-small"
              aria-pressed={state.isJson ? 'true' : 'false'}
              onClick={toggleJson}
            >
              {state.isJson ? 'Edit in the form' : 'Edit as JSON'}
            </button>
          )}
        </div>
        <FormOptions
          formName={definition.name}
          draft={state.options}
          faults={faults}
          onDraft={(options: Draft, path: string) => onChange({ options }, path)}
        />
      </fieldset>
      <div class="form-notice" role="alert">
        {formFault && (
          <p class="notice tone-bad">
            <Icon name="warning" />
            <span>{formFault}</span>
          </p>
        )}
      </div>
      <LackingNotice access={access} scope={scope} />
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
            {phase === 'sending' ? 'Submitting …' : submitLabel}
          </button>
        )}
        {!isHeld && (
          <button
            type="button"
            class="button is-quiet"
            onClick={() => fill(stateOf(field, definition.example))}
          >
            <Icon name="example" />
            Use the example
          </button>
        )}
        {!state.isJson && (
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

function formFaultOf(fault: ApiFault, rest: FieldFault[]): string {
  if (fault.status === 401) return 'The API takes this only with a key. What you entered is still here.'
  const details = rest.map(({ pointer, detail }) => (pointer === '#' ? detail : `${pointer}: ${detail}.`))
  return [`${fault.detail}.`, ...details].join(' ').replaceAll('..', '.')
}
