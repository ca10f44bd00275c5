// Form of a definition, built from its JSON Schema. It submits a task, or replays one with edited input.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Access, Scope } from '../api/access.ts'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { Definition, Submission } from '../api/api-client.ts'
import type { ApiFault, ApiResponse } from '../api/api-response.ts'
import { Icon } from '../parts/icons.tsx'
import type { SubmissionPhase, WaitReason } from '../state/submission.ts'
import type { Draft } from './drafts.ts'
import type { Faults } from './field-values.ts'
import { FormButtons } from './form-buttons.tsx'
import { faultsOfResponse } from './form-faults.ts'
import { fieldId } from './form-field.tsx'
import { FormInput } from './form-input.tsx'
import { FormOptions } from './form-options.tsx'
import { asFields, asJson, type FormState, JSON_PATH, readState, stateOf } from './form-state.ts'
import { lastInputs } from './last-inputs.ts'
import { LastInputsMenu } from './last-inputs-menu.tsx'
import { fieldOfInput, hasSensitiveFields } from './schema-fields.ts'

export interface TaskFormProps {
  definition: Definition
  state: FormState
  onState: (state: FormState) => void
  /**
   * Called with true when the submission waits until the API is available or the rate limit allows it, and
   * with false when the submission has ended.
   */
  onWaiting: (isWaiting: boolean) => void
  access: Access
  /** Scope that the API key needs to submit this form. */
  scope: Scope
  submitLabel: string
  submit: (
    submission: Submission,
    onWait: (reason: WaitReason) => void,
    signal: AbortSignal,
  ) => Promise<ApiResponse<unknown>>
}

export function TaskForm(props: TaskFormProps) {
  const { definition, state, onState, onWaiting, access, scope, submitLabel, submit } = props
  const isAllowed = !access.state.value.missingScopes.includes(scope)
  const field = useMemo(() => fieldOfInput(definition), [definition])
  const [faults, setFaults] = useState<Faults>({})
  const [formFault, setFormFault] = useState<string | null>(null)
  const [phase, setPhase] = useState<SubmissionPhase>('editing')
  const sending = useRef<AbortController>(null)
  const isWaiting = phase !== 'editing' && phase !== 'sending'
  // Focuses the first field when the form appears, and again when a submission no longer waits for the API:
  // the fields were disabled during the wait and lost the focus.
  useEffect(focusFirst, [isWaiting])
  // Closing the form ends a waiting submission, because the button that ends it disappears with the form.
  useEffect(() => () => sending.current?.abort(), [])

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (phase !== 'editing' || !isAllowed) return
    const { input, options, faults } = readState(field, state)
    if (show(faults, null)) return
    const stopping = new AbortController()
    sending.current = stopping
    setPhase('sending')
    const submission = { name: definition.name, input, options }
    const response = await submit(submission, wait, stopping.signal)
    setPhase('editing')
    onWaiting(false)
    // Inputs with sensitive values are not kept in the browser.
    if (response.ok && !hasSensitiveFields(definition)) lastInputs.remember(submission)
    else if (!response.ok) showFault(response.fault)
  }

  function wait(reason: WaitReason) {
    setPhase(reason)
    onWaiting(true)
  }

  /** Shows errors and focuses the first invalid field. @returns whether there is an error */
  function show(faults: Faults, formFault: string | null): boolean {
    setFaults(faults)
    setFormFault(formFault)
    const [first] = Object.keys(faults)
    // Focuses the field only in the next frame: if it is one of the options, which can be collapsed, they are
    // opened before that.
    if (first !== undefined)
      requestAnimationFrame(() => document.getElementById(fieldId(definition.name, first))?.focus())
    return first !== undefined || formFault !== null
  }

  function showFault(fault: ApiFault) {
    // Shows no error if the page itself aborted the request, or if the API key lacks a scope (403): this form
    // contains a `MissingScopeNotice`, which says so.
    if (fault.kind === 'aborted' || fault.status === 403) return
    const { faults, formFault } = faultsOfResponse(fault, state.isJson ? null : field)
    show(faults, formFault)
  }

  /**
   * Stores a change, and removes the error of the changed field if the field is now valid. Adds no errors: an
   * error that appears when a field loses the focus would move the submit button away before the click.
   */
  function onChange(changes: Partial<FormState>, path: string) {
    const changed = { ...state, ...changes }
    onState(changed)
    const others = Object.entries(faults).filter(([at]) => at !== path && !at.startsWith(`${path}/`))
    const remaining = path in faults ? readState(field, changed).faults[path] : undefined
    setFaults({ ...Object.fromEntries(others), ...(remaining && { [path]: remaining }) })
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
      onKeyDown={ignoreRepeatedEnter}
      aria-busy={phase === 'editing' ? 'false' : 'true'}
    >
      <p class="form-description">{definition.description}</p>
      {definition.isolated && <p class="form-description">{isolationText(definition.isolated)}</p>}
      <fieldset class="form-fields" disabled={isWaiting}>
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
      <MissingScopeNotice access={access} scope={scope} />
      {isWaiting && (
        <p class="notice tone-warn" role="status">
          <Icon name="unplugged" />
          <span>{WAIT_TEXTS[phase]}</span>
        </p>
      )}
      <FormButtons
        phase={phase}
        isAllowed={isAllowed}
        submitLabel={submitLabel}
        hasLegend={!state.isJson}
        onStop={() => sending.current?.abort()}
        onExample={() => fill(stateOf(field, definition.example))}
      />
    </form>
  )
}

function isolationText({ memory_mb: mib }: NonNullable<Definition['isolated']>): string {
  return `Each attempt runs in an isolated process, with at most ${mib.toLocaleString()} MiB of memory.`
}

const WAIT_TEXTS = {
  unavailable: 'Not submitted yet: the API is not available. The page submits the task as soon as it is.',
  // The text promises that there will be one task: all repetitions of the request have the same idempotency
  // key, so the API creates the task only once.
  unconfirmed:
    'Not confirmed: the task may have been submitted. The page repeats the request; there will be one task.',
  limited: 'Not submitted yet: the request limit is reached. The page submits the task again shortly.',
} as const satisfies Record<WaitReason, string>

/** Ignores repeats of an Enter key that is held down, which would submit the task again. */
function ignoreRepeatedEnter(event: KeyboardEvent) {
  const isNewLine = event.target instanceof HTMLTextAreaElement
  if (event.key === 'Enter' && event.repeat && !isNewLine) event.preventDefault()
}

/**
 * Focuses the first field of the form if no element has the focus. Does nothing on touch screens, where a
 * focus would open the on-screen keyboard.
 */
function focusFirst() {
  const isFree = document.activeElement === document.body
  if (!isFree || !matchMedia('(pointer: fine)').matches) return
  document
    .querySelector<HTMLElement>('.form-fields input, .form-fields textarea, .form-fields select')
    ?.focus()
}
