// State of a form: the input, which is edited as fields or as JSON, and the options of the submission. A
// switch between fields and JSON loses no data.
import type { RunOptions, Submission } from '../api/api-client.ts'
import { isRecord, stringifyJson } from '../parts/exact-json.ts'
import { type Draft, draftOf, emptyDraft } from './drafts.ts'
import { type Faults, readField, readJson, readLeniently } from './field-values.ts'
import { OPTIONS_FIELD, readOptions } from './run-options.ts'
import type { Field } from './schema-fields.ts'

export interface FormState {
  /** Whether the input is edited as JSON instead of in fields. */
  isJson: boolean
  draft: Draft
  /** The input as JSON text; used while `isJson` is true. */
  json: string
  options: Draft
}

/** Path of the text box in which the input is edited as JSON; used as the key of its error message. */
export const JSON_PATH = '#json'

export function emptyState(field: Field): FormState {
  return { isJson: false, draft: emptyDraft(field), json: '', options: emptyDraft(OPTIONS_FIELD) }
}

/** Returns the state of a form with this input: in fields if they can represent all of it, else as JSON. */
export function stateOf(field: Field, input: unknown, options?: RunOptions): FormState {
  const filled = { ...emptyState(field), options: draftOf(OPTIONS_FIELD, options) }
  return fits(field, input)
    ? { ...filled, draft: draftOf(field, input) }
    : { ...filled, isJson: true, json: stringifyJson(input, 2) }
}

export function asJson(field: Field, state: FormState): FormState {
  return { ...state, isJson: true, json: stringifyJson(readLeniently(field, state.draft) ?? {}, 2) }
}

/**
 * Switches from JSON to fields.
 * @returns the new state; an error message if the JSON is invalid or the fields cannot represent all of it
 */
export function asFields(field: Field, state: FormState): FormState | string {
  const { value, fault } = readJson(state.json)
  if (fault) return fault
  if (!fits(field, value)) return 'The form has no fields for all of this. Continue in JSON.'
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

/**
 * Checks whether the fields can represent all of a value: converts it to a draft and back, and checks that
 * the result contains all of it.
 */
function fits(field: Field, value: unknown): boolean {
  return covers(readLeniently(field, draftOf(field, value)), value)
}

/**
 * Checks whether `shown`, the JSON value that `fits` has read from the fields, has all list items and members
 * of `value`. Its objects may have additional members: a checkbox, for example, is read as false if `value`
 * lacks its member.
 */
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
