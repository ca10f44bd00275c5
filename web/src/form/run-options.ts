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
    option('priority', 'choice', 'Priority', 'Order of the tasks of a queue', {}, ['high', 'normal', 'low']),
    option(
      'expires_in_seconds',
      'number',
      'Expires in seconds',
      'Cancel it if it has not started within this time',
      {
        exclusiveMinimum: 0,
        maximum: YEAR_SECONDS,
      },
    ),
    option('expires_at', 'date-time', 'Expires at', 'Cancel it if it has not started by this time'),
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
  choices: string[] = [],
): LeafField {
  return {
    name,
    kind,
    label,
    description,
    limits,
    isRequired: false,
    isNullable: false,
    choices,
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
  return {
    options: Object.keys(options).length > 0 ? options : undefined,
    faults: { ...faults, ...pairFaults(options) },
  }
}

/**
 * Returns errors for pairs of options that exclude each other. The API refuses them too, but names no field.
 */
function pairFaults(options: RunOptions): Faults {
  const { run_at, delay_seconds = 0, expires_at, expires_in_seconds = Number.POSITIVE_INFINITY } = options
  const faults: Faults = {}
  if (run_at !== undefined && options.delay_seconds !== undefined)
    faults[`${OPTIONS_PATH}/run_at`] = 'Set either a delay or a start time.'
  if (expires_at !== undefined && options.expires_in_seconds !== undefined)
    faults[`${OPTIONS_PATH}/expires_at`] = 'Set either a number of seconds or a time for the expiry.'
  else if (Date.parse(run_at ?? '') >= Date.parse(expires_at ?? ''))
    faults[`${OPTIONS_PATH}/expires_at`] = 'Enter a time after the start time.'
  if (delay_seconds >= expires_in_seconds)
    faults[`${OPTIONS_PATH}/expires_in_seconds`] = 'Enter more than the delay.'
  return faults
}
