// Assigns the validation errors in an API response to the fields of the form. Pure functions.
import type { ApiFault, FieldFault } from '../api/api-response.ts'
import { type Faults, stepInto } from './field-values.ts'
import { OPTIONS_FIELD, OPTIONS_PATH } from './run-options.ts'
import { type Field, isLeaf } from './schema-fields.ts'

/**
 * Converts the error of a submission to the messages that the form shows.
 * @param inputField field of the whole input; null while the input is edited as JSON and has no fields
 * @returns `faults`: messages by the path of a field. `formFault`: message for the whole form; null if the
 *   API reported only errors that belong to fields
 */
export function faultsOfResponse(
  fault: ApiFault,
  inputField: Field | null,
): { faults: Faults; formFault: string | null } {
  const atInput = inputField
    ? faultsByField(inputField, 'input', fault.errors, '')
    : { faults: {}, rest: fault.errors }
  const atOptions = faultsByField(OPTIONS_FIELD, 'options', atInput.rest, OPTIONS_PATH)
  const faults = { ...atInput.faults, ...atOptions.faults }
  const isAllAtFields = Object.keys(faults).length > 0 && atOptions.rest.length === 0
  return { faults, formFault: isAllAtFields ? null : formFaultOf(fault, atOptions.rest) }
}

function formFaultOf(fault: ApiFault, rest: FieldFault[]): string {
  if (fault.status === 401) return 'The API requires a key. The form keeps your input.'
  const details = rest.map(({ pointer, detail }) => (pointer === '#' ? detail : `${pointer}: ${detail}.`))
  return [`${fault.detail}.`, ...details].join(' ').replaceAll('..', '.')
}

/**
 * Assigns each error to the field that its JSON pointer names, or to the nearest field that contains it.
 * @param field field for the member `root` of the request body, or for the whole body if `root` is null; only
 *   it and its nested fields get errors
 * @param path path of `field` in the form
 * @returns messages by the path of a field, and in `rest` the errors that belong to none of these fields
 */
export function faultsByField(
  field: Field,
  root: 'input' | 'options' | null,
  errors: FieldFault[],
  path: string,
): { faults: Faults; rest: FieldFault[] } {
  const faults: Faults = {}
  const rest: FieldFault[] = []
  for (const error of errors) {
    const [, ...steps] = error.pointer.split('/').map(unescapePointer)
    const isBelow = root === null || steps.shift() === root
    const place = isBelow ? placeOf(field, steps, path, true) : null
    if (place === null) {
      rest.push(error)
      continue
    }
    const text = place.beyond.length > 0 ? `${place.beyond.join('/')}: ${error.detail}` : error.detail
    faults[place.path] = faults[place.path] ? `${faults[place.path]} ${text}` : text
  }
  return { faults, rest }
}

/**
 * Finds the field for an error: the field that the JSON pointer names, or the nearest field that contains the
 * named value. Returns its path, and the steps of the pointer that lead further into its value (`beyond`);
 * null if the error must be shown for the whole form.
 * @param steps steps of the JSON pointer that start at `field`
 */
function placeOf(
  field: Field,
  steps: string[],
  path: string,
  isRoot: boolean,
): { path: string; beyond: string[] } | null {
  const [step, ...others] = steps
  // An error of the outermost group is shown for the whole form, because the form renders no element for that
  // group.
  const isWholeForm = isRoot && field.kind === 'group'
  if (step === undefined) return isWholeForm ? null : { path, beyond: [] }
  if (isLeaf(field)) return { path, beyond: steps }
  if (field.kind === 'group') {
    const member = field.members.find(({ name }) => name === step)
    if (member) return placeOf(member, others, stepInto(path, step), false)
    return isWholeForm ? null : { path, beyond: steps }
  }
  if (field.kind === 'list' && /^\d+$/.test(step))
    return placeOf(field.item, others, stepInto(path, step), false)
  return { path, beyond: steps }
}

/** Decodes one step of a JSON pointer in a URI fragment (RFC 6901, sections 4 and 6). */
function unescapePointer(step: string): string {
  const text = step.replaceAll('~1', '/').replaceAll('~0', '~')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
