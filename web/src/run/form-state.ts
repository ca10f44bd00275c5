// What a form holds: its fields, or the same as JSON, and the options. Turning from one to the other keeps everything.
import { isRecord } from '../api/api-answer.ts'
import type { RunOptions, Submission } from '../api/api-client.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { type Draft, draftOf, emptyDraft } from './drafts.ts'
import { type Faults, readField, readJson, readLeniently } from './field-values.ts'
import type { Field } from './form-fields.ts'
import { OPTIONS_FIELD, readOptions } from './run-options.ts'

export interface FormState {
  /** Whether the input is being written as JSON. */
  isJson: boolean
  draft: Draft
  /** While it is. */
  json: string
  options: Draft
}

/** Where the field for JSON stands. */
export const JSON_PATH = '#json'

export function emptyState(field: Field): FormState {
  return { isJson: false, draft: emptyDraft(field), json: '', options: emptyDraft(OPTIONS_FIELD) }
}

/** A form that holds this input; as JSON where its fields cannot show all of it. */
export function stateOf(field: Field, input: unknown, options?: RunOptions): FormState {
  const filled = { ...emptyState(field), options: draftOf(OPTIONS_FIELD, options) }
  return fits(field, input)
    ? { ...filled, draft: draftOf(field, input) }
    : { ...filled, isJson: true, json: stringifyJson(input, 2) }
}

export function asJson(field: Field, state: FormState): FormState {
  return { ...state, isJson: true, json: stringifyJson(readLeniently(field, state.draft) ?? {}, 2) }
}

/** Back to the fields. @returns why not, where the JSON cannot be shown in them */
export function asFields(field: Field, state: FormState): FormState | string {
  const { value, fault } = readJson(state.json)
  if (fault) return fault
  if (!fits(field, value)) return 'The fields of the form cannot show all of this: go on here.'
  return { ...state, isJson: false, draft: draftOf(field, value) }
}

export function readState(
  field: Field,
  state: FormState,
): Pick<Submission, 'input' | 'options'> & { faults: Faults } {
  const { options, faults: optionFaults } = readOptions(state.options)
  if (state.isJson) {
    const { value, fault } = readJson(state.json)
    return {
      input: value ?? null,
      options,
      faults: { ...(fault && { [JSON_PATH]: fault }), ...optionFaults },
    }
  }
  const { value, faults } = readField(field, state.draft)
  return { input: value ?? null, options, faults: { ...faults, ...optionFaults } }
}

/** Whether the fields show all of a value: whatever goes into them comes out again. */
function fits(field: Field, value: unknown): boolean {
  return covers(readLeniently(field, draftOf(field, value)), value)
}

/** A box that was left out comes back as one that is not ticked, so there may be more members than there were. */
function covers(shown: unknown, value: unknown): boolean {
  if (Array.isArray(value)) {
    return (
      Array.isArray(shown) &&
      shown.length === value.length &&
      value.every((item, index) => covers(shown[index], item))
    )
  }
  if (!isRecord(value) || !isRecord(shown)) return stringifyJson(shown) === stringifyJson(value)
  return Object.entries(value).every(
    ([name, member]) => Object.hasOwn(shown, name) && covers(shown[name], member),
  )
}
