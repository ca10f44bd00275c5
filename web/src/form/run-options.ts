// Options of a submission (delay, queue, retries, …): the part of the form that all definitions share.
import type { RunOptions } from '../api/api-client.ts'
import type { Draft } from './drafts.ts'
import { type Faults, readField } from './field-values.ts'
import type { GroupField, LeafField, LeafKind, Limits } from './schema-fields.ts'

// The limits in this file are those of the API, which checks them again.
const YEAR_SECONDS = 366 * 24 * 3_600

export const OPTIONS_FIELD: GroupField = {
  kind: 'group',
  name: 'options',
  label: 'Options',
  description: null,
  isRequired: true,
  isNullable: false,
  members: [
    option('delay_seconds', 'number', 'Delay in seconds', 'Start this long after the submission', {
      minimum: 0,
      maximum: YEAR_SECONDS,
    }),
    option('run_at', 'date-time', 'Run at', 'Start at this time'),
    option('queue', 'text', 'Queue', 'Only workers that serve this queue run the task', { maxLength: 64 }),
    option('tags', 'words', 'Tags', 'Separated by commas'),
    option('max_retries', 'integer', 'Retries', 'Maximum number of retries after failures', {
      minimum: 0,
      maximum: 100,
    }),
    option('timeout_seconds', 'number', 'Timeout in seconds', 'Time limit for one attempt', {
      minimum: 0.1,
      maximum: 7 * 24 * 3_600,
    }),
    option('callback_url', 'url', 'Callback URL', 'The finished task is posted to this URL'),
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

/** Path of the group of options in the form. The paths of its fields begin with it. */
export const OPTIONS_PATH = '#options'

/** Reads the options of a submission from their draft. `options` is undefined if none is set. */
export function readOptions(draft: Draft): { options: RunOptions | undefined; faults: Faults } {
  const { value, faults } = readField(OPTIONS_FIELD, draft, OPTIONS_PATH)
  // The type assertion is safe: the value was built from the form field `OPTIONS_FIELD`, whose members have
  // the names and types of RunOptions.
  const options = value as RunOptions
  const isBoth = options.run_at !== undefined && options.delay_seconds !== undefined
  return {
    options: Object.keys(options).length > 0 ? options : undefined,
    faults: isBoth
      ? { ...faults, [`${OPTIONS_PATH}/run_at`]: 'Set either a delay or a start time.' }
      : faults,
  }
}
