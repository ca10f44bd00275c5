// When and how a task is to be run: the part of the form that is the same for every definition.
import type { RunOptions } from '../api/api-client.ts'
import type { Draft } from './drafts.ts'
import { type Faults, readField } from './field-values.ts'
import type { GroupField, LeafField, LeafKind, Limits } from './form-fields.ts'

// The bounds are those of the API, which has the last word.
const YEAR_SECONDS = 366 * 24 * 3_600

export const OPTIONS_FIELD: GroupField = {
  kind: 'group',
  name: 'options',
  label: 'Options',
  description: null,
  isRequired: true,
  isNullable: false,
  members: [
    option('delay_seconds', 'number', 'Delay in seconds', 'Not before so many seconds have passed', {
      minimum: 0,
      maximum: YEAR_SECONDS,
    }),
    option('run_at', 'date-time', 'Run at', 'Or not before this moment'),
    option('queue', 'text', 'Queue', 'Which workers run it: those that serve this queue', { maxLength: 64 }),
    option('tags', 'words', 'Tags', 'With commas between them'),
    option('max_retries', 'integer', 'Retries', 'How often it is run again after a failure', {
      minimum: 0,
      maximum: 100,
    }),
    option('timeout_seconds', 'number', 'Timeout in seconds', 'How long one attempt may take', {
      minimum: 0.1,
      maximum: 7 * 24 * 3_600,
    }),
    option('callback_url', 'url', 'Callback URL', 'Where to post the task when it has ended'),
  ],
}

function option(
  name: keyof RunOptions,
  kind: LeafKind,
  label: string,
  description: string,
  limits: Limits = {},
): LeafField {
  return {
    name,
    kind,
    label,
    description,
    limits,
    isRequired: false,
    isNullable: false,
    choices: [],
    initial: '',
    example: '',
  }
}

/** Where they stand in the form. */
export const OPTIONS_PATH = '#options'

/** undefined where nothing was chosen. */
export function readOptions(draft: Draft): { options: RunOptions | undefined; faults: Faults } {
  const { value, faults } = readField(OPTIONS_FIELD, draft, OPTIONS_PATH)
  // The fields above are those of the API's options, by their names and kinds.
  const options = value as RunOptions
  const isBoth = options.run_at !== undefined && options.delay_seconds !== undefined
  return {
    options: Object.keys(options).length > 0 ? options : undefined,
    faults: isBoth ? { ...faults, [`${OPTIONS_PATH}/run_at`]: 'Choose either a delay or a moment.' } : faults,
  }
}
