// Form that creates or edits a schedule, with a preview of its next ticks.
import { useState } from 'preact/hooks'
import { withKey } from '../api/access.ts'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { Definition, Schedule } from '../api/api-client.ts'
import type { ApiFault } from '../api/api-response.ts'
import { asGroup } from '../form/drafts.ts'
import type { Faults } from '../form/field-values.ts'
import { faultsByField } from '../form/form-faults.ts'
import { fieldId } from '../form/form-field.tsx'
import { FormInput } from '../form/form-input.tsx'
import { asFields, asJson, emptyState, type FormState, JSON_PATH } from '../form/form-state.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import { Skeleton } from '../parts/skeleton.tsx'
import { isMasked } from '../task/sensitive-values.tsx'
import {
  choiceIn,
  fieldsOf,
  groupOf,
  inputFaultsOf,
  inputFieldOf,
  readSchedule,
  type ScheduleState,
  stateOfSchedule,
} from './schedule-fields.ts'
import { Leaves, Preview, SCHEDULE_FORM, TimesChoice } from './schedule-form-fields.tsx'

export interface ScheduleFormProps {
  page: Page
  /** The schedule to edit; null for a new one. */
  schedule: Schedule | null
  /** Called with the name of the schedule after the API has accepted it. */
  onSaved: (name: string) => void
}

export function ScheduleForm(props: ScheduleFormProps) {
  const definitions = props.page.definitions.value
  if (definitions === null)
    return <Skeleton label="Loading the definitions" lines={['normal', 'short', 'tall']} />
  if (definitions.length === 0) return <p class="quiet">This API has no definitions.</p>
  return <Form {...props} definitions={definitions} />
}

// Begins the ids of the fields of the input.
const INPUT_FORM = 'schedule-input'

function Form({ page, schedule, onSaved, definitions }: ScheduleFormProps & { definitions: Definition[] }) {
  const { api, access } = page
  const isAllowed = !access.state.value.missingScopes.includes('operate')
  const isNew = schedule === null
  const [state, setState] = useState<ScheduleState>(() => {
    const name = schedule?.definition ?? definitions[0]?.name ?? ''
    return stateOfSchedule(schedule, name, named(name))
  })
  const [faults, setFaults] = useState<Faults>({})
  const [inputFaults, setInputFaults] = useState<Faults>({})
  const [formFault, setFormFault] = useState('')
  const [phase, setPhase] = useState<'editing' | 'sending' | 'saved'>('editing')
  // On the page of a schedule, the form is a section with a heading of its own.
  const Heading = isNew ? 'h2' : 'h3'
  const texts = asGroup(state.draft).members
  const definition = named(choiceIn(texts.definition))
  const inputField = inputFieldOf(definition)
  const fields = fieldsOf(
    state,
    isNew,
    definitions.map(({ name }) => name),
  )
  const leafProps = { state, faults, onText }
  const of = (...names: string[]) => fields.filter(({ name }) => names.includes(name))

  return (
    <form
      class="form schedule-form"
      noValidate
      onSubmit={onSubmit}
      aria-busy={phase === 'sending' ? 'true' : 'false'}
    >
      <Leaves {...leafProps} fields={of('name', 'definition')} />
      <TimesChoice isCron={state.isCron} onChoose={(isCron) => change({ ...state, isCron })} />
      <Leaves {...leafProps} fields={of('cron', 'time_zone', 'every_seconds')} />
      <section class="schedule-ticks" aria-label="Preview">
        <Heading class="card-subtitle">Next ticks</Heading>
        <Preview
          page={page}
          isCron={state.isCron}
          read={readSchedule(state, fields, inputField)}
          definition={definition}
        />
      </section>
      <Leaves {...leafProps} fields={of('overlap', 'catch_up', 'jitter_seconds')} />
      <fieldset class="field-group">
        <legend class="field-label">Input</legend>
        {isMasked(schedule?.input) && (
          <p class="quiet">Sensitive values are not filled in: enter them again.</p>
        )}
        <FormInput
          formName={INPUT_FORM}
          field={inputField}
          state={state.input}
          faults={inputFaults}
          onDraft={(draft, path) => changeInput({ ...state.input, draft }, path)}
          onJson={(json) => changeInput({ ...state.input, json }, JSON_PATH)}
        />
        {inputField.kind === 'group' && (
          <button
            type="button"
            class="button is-quiet is-small field-add"
            aria-pressed={state.input.isJson ? 'true' : 'false'}
            onClick={toggleJson}
          >
            {state.input.isJson ? 'Edit in the form' : 'Edit as JSON'}
          </button>
        )}
      </fieldset>
      <div class="form-notice" role="alert">
        {formFault !== '' && (
          <p class="notice tone-bad">
            <Icon name="warning" />
            <span>{formFault}</span>
          </p>
        )}
      </div>
      <MissingScopeNotice access={access} scope="operate" />
      <div class="form-actions">
        <button
          type="submit"
          class="button is-primary"
          aria-disabled={phase === 'sending' || !isAllowed ? 'true' : 'false'}
        >
          {phase === 'sending' ? 'Saving …' : isNew ? 'Create schedule' : 'Save changes'}
        </button>
        <p class="form-legend" role="status">
          {phase === 'saved' && 'Saved.'}
        </p>
      </div>
    </form>
  )

  function named(name: string): Definition | undefined {
    return definitions.find((definition) => definition.name === name)
  }

  function change(changed: ScheduleState) {
    setState(changed)
    setPhase('editing')
  }

  function onText(name: string, text: string) {
    const group = asGroup(state.draft)
    const draft = { ...group, members: { ...group.members, [name]: text } }
    // The input of another definition has other fields.
    const isOther = name === 'definition' && text !== group.members.definition
    const input = isOther ? emptyState(inputFieldOf(named(choiceIn(text)))) : state.input
    change({ ...state, draft, input })
    setFaults(without(faults, name))
    if (isOther) setInputFaults({})
  }

  function changeInput(input: FormState, path: string) {
    change({ ...state, input })
    setInputFaults(without(inputFaults, path))
  }

  function toggleJson() {
    const toggled = state.input.isJson ? asFields(inputField, state.input) : asJson(inputField, state.input)
    if (typeof toggled === 'string') {
      show({}, { [JSON_PATH]: toggled }, '')
      return
    }
    change({ ...state, input: toggled })
    setInputFaults({})
  }

  async function onSubmit(event: Event) {
    event.preventDefault()
    if (phase === 'sending' || !isAllowed) return
    const read = readSchedule(state, fields, inputField)
    if (show(read.faults, read.inputFaults, '')) return
    const name = schedule?.name ?? read.name
    setPhase('sending')
    // A new schedule must not replace another one.
    if (isNew && (await withKey(access, () => api.schedule(name))).ok) {
      setPhase('editing')
      show({ name: 'A schedule with this name exists.' }, {}, '')
      return
    }
    const { timing, input } = read
    const response = await withKey(access, () => api.putSchedule(name, { ...timing, input }))
    setPhase(response.ok ? 'saved' : 'editing')
    if (response.ok) onSaved(name)
    else showFault(response.fault)
  }

  function showFault({ kind, status, detail, errors }: ApiFault) {
    // `MissingScopeNotice` says which scope the API key lacks.
    if (kind === 'aborted' || status === 403) return
    const atInput = inputFaultsOf(errors, state.input.isJson ? null : inputField)
    const own = faultsByField(groupOf(fields), null, atInput.rest, '')
    const isAllAtFields =
      own.rest.length === 0 && Object.keys({ ...own.faults, ...atInput.faults }).length > 0
    const details = own.rest.map(({ pointer, detail }) => `${pointer}: ${detail}`)
    show(own.faults, atInput.faults, isAllAtFields ? '' : [detail, ...details].join('. '))
  }

  /** Shows errors and focuses the first invalid field. @returns whether there is an error */
  function show(own: Faults, ofInput: Faults, ofForm: string): boolean {
    setFaults(own)
    setInputFaults(ofInput)
    setFormFault(ofForm)
    const [first] = Object.keys(own)
    const [firstOfInput] = Object.keys(ofInput)
    const id = first !== undefined ? fieldId(SCHEDULE_FORM, first) : fieldId(INPUT_FORM, firstOfInput ?? '')
    requestAnimationFrame(() => document.getElementById(id)?.focus())
    return first !== undefined || firstOfInput !== undefined || ofForm !== ''
  }
}

function without(faults: Faults, path: string): Faults {
  return Object.fromEntries(
    Object.entries(faults).filter(([at]) => at !== path && !at.startsWith(`${path}/`)),
  )
}
