// The fields of a schedule, and the conversion between a schedule and the texts of its form.
import type { Definition, Json, Schedule, ScheduleRequest } from '../api/api-client.ts'
import type { FieldFault } from '../api/api-response.ts'
import { asGroup, asText, type Draft, draftOf } from '../form/drafts.ts'
import { type Faults, readField } from '../form/field-values.ts'
import { faultsByField } from '../form/form-faults.ts'
import { emptyState, type FormState, JSON_PATH, readState, stateOf } from '../form/form-state.ts'
import { type Field, fieldOfInput, type GroupField, type LeafField } from '../form/schema-fields.ts'
import { isMasked, withoutMasks } from '../task/sensitive-values.tsx'
import { OWN_ZONE, timeZones } from './schedule-words.ts'

export interface ScheduleState {
  /** Whether the times are those of a cron expression; otherwise the schedule has an interval. */
  isCron: boolean
  /** Texts of all fields except the input. */
  draft: Draft
  /** The input of the tasks. */
  input: FormState
}

type Member = 'name' | Exclude<keyof ScheduleRequest, 'input'>

// The bounds in this file are those of the API, which checks them again.
const FIELDS: Record<Member, LeafField> = {
  name: leaf('name', 'Name', 'Lower case letters, digits, “_”, “-” and “.”', {
    limits: { pattern: '^[a-z][a-z0-9_.-]{0,99}$' },
    example: 'nightly-report',
  }),
  definition: leaf('definition', 'Definition', 'The schedule makes tasks of this definition', {
    kind: 'choice',
  }),
  cron: leaf('cron', 'Cron expression', 'Minute, hour, day of the month, month, day of the week', {
    example: '30 2 * * *',
  }),
  time_zone: leaf('time_zone', 'Time zone', 'The times of the expression are in this zone', {
    kind: 'choice',
  }),
  every_seconds: leaf('every_seconds', 'Interval in seconds', 'The ticks are at multiples of it since 1970', {
    kind: 'integer',
    limits: { minimum: 1, maximum: 366 * 24 * 3_600 },
    example: '900',
  }),
  overlap: leaf(
    'overlap',
    'Overlap',
    'At a tick while the last task has not ended: make no task, make one, or wait',
    {
      kind: 'choice',
      choices: ['skip', 'allow', 'wait'],
    },
  ),
  catch_up: leaf('catch_up', 'Catch up', 'For ticks that were missed: one task, none, or one for each tick', {
    kind: 'choice',
    choices: ['one', 'skip', 'all'],
  }),
  jitter_seconds: leaf('jitter_seconds', 'Jitter in seconds', 'Delays each start by up to this time', {
    kind: 'integer',
    limits: { minimum: 0, maximum: 24 * 3_600 },
    isRequired: false,
    example: '60',
  }),
}

function leaf(name: Member, label: string, description: string, more: Partial<LeafField>): LeafField {
  const base = { isRequired: true, isNullable: false, choices: [], limits: {}, initial: '', example: '' }
  return { ...base, kind: 'text', name, label, description, ...more }
}

/**
 * Returns the fields of the form, in their order.
 * @param isNew whether the schedule does not exist yet: only then it has a field for the name
 */
export function fieldsOf({ isCron, draft }: ScheduleState, isNew: boolean, names: string[]): LeafField[] {
  const { definition, time_zone: zone } = asGroup(draft).members
  const chosen = choiceIn(definition)
  return [
    ...(isNew ? [FIELDS.name] : []),
    { ...FIELDS.definition, choices: [...new Set([...names, chosen])].filter(Boolean) },
    ...(isCron
      ? [FIELDS.cron, { ...FIELDS.time_zone, choices: timeZones(choiceIn(zone)) }]
      : [FIELDS.every_seconds]),
    FIELDS.overlap,
    FIELDS.catch_up,
    FIELDS.jitter_seconds,
  ]
}

/** Returns the chosen text of a field of kind `choice`; empty if nothing is chosen. */
export function choiceIn(draft: Draft | undefined): string {
  const text = asText(draft)
  return text === '' ? '' : String(JSON.parse(text))
}

export function groupOf(fields: LeafField[]): GroupField {
  const base = { name: '', label: '', description: null, isRequired: true, isNullable: false }
  return { ...base, kind: 'group', members: fields }
}

/** Returns the field of the input. The input of an unknown definition is edited as JSON. */
export function inputFieldOf(definition: Definition | undefined): Field {
  return fieldOfInput(definition ?? { input_schema: {}, example: undefined })
}

/** Returns the state of a form with this schedule, or of the form for a new one of this definition. */
export function stateOfSchedule(
  schedule: Schedule | null,
  name: string,
  definition: Definition | undefined,
): ScheduleState {
  const given = Object.entries(schedule ?? {}).filter(([, value]) => value !== null)
  const defaults = { definition: name, time_zone: OWN_ZONE, overlap: 'skip', catch_up: 'one' }
  const field = inputFieldOf(definition)
  const input = isMasked(schedule?.input) ? (withoutMasks(schedule?.input) ?? {}) : schedule?.input
  return {
    isCron: schedule === null || schedule.cron !== null,
    draft: draftOf(groupOf(Object.values(FIELDS)), { ...defaults, ...Object.fromEntries(given) }),
    input: schedule ? stateOf(field, input) : emptyState(field),
  }
}

export interface ReadSchedule {
  name: string
  /** Without the input; its members are valid only if `faults` is empty. */
  timing: Omit<ScheduleRequest, 'input'>
  input: Json
  faults: Faults
  inputFaults: Faults
}

export function readSchedule(state: ScheduleState, fields: LeafField[], inputField: Field): ReadSchedule {
  const { value, faults } = readField(groupOf(fields), onlyOf(state.draft, fields))
  // The type assertion is safe: the value was built from FIELDS, whose members have these names and types.
  const { name = '', ...timing } = value as Omit<ScheduleRequest, 'input'> & { name?: string }
  const { input, faults: inputFaults } = readState(inputField, state.input)
  return { name, timing, input, faults, inputFaults }
}

/**
 * Returns the draft without members that these fields do not edit, e.g. the interval beside a cron
 * expression.
 */
function onlyOf(draft: Draft, fields: LeafField[]): Draft {
  const { members } = asGroup(draft)
  return { members: Object.fromEntries(fields.map(({ name }) => [name, members[name] ?? ''])), others: {} }
}

/**
 * Assigns errors of the API to the fields of the input.
 * @param inputField null while the input is edited as JSON
 * @returns messages by the path of a field, and in `rest` the errors that do not belong to the input
 */
export function inputFaultsOf(
  errors: FieldFault[],
  inputField: Field | null,
): { faults: Faults; rest: FieldFault[] } {
  if (inputField) return faultsByField(inputField, 'input', errors, '')
  const isOfInput = ({ pointer }: FieldFault) => /^#\/input(\/|$)/.test(pointer)
  const texts = errors.filter(isOfInput).map(({ pointer, detail }) => `${pointer}: ${detail}`)
  return {
    faults: texts.length > 0 ? { [JSON_PATH]: texts.join('. ') } : {},
    rest: errors.filter((error) => !isOfInput(error)),
  }
}
