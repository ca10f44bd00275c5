// The fields of the limits of a queue.
import type { QueueLimits } from '../api/api-client.ts'
import type { Draft } from '../form/drafts.ts'
import { type Faults, readField } from '../form/field-values.ts'
import type { GroupField, LeafField, LeafKind, Limits } from '../form/schema-fields.ts'

/** The limits as the form has them: a limit that is not set has no member. */
export type GivenLimits = { [Name in keyof QueueLimits]?: NonNullable<QueueLimits[Name]> }

// The bounds in this file are those of the API, which checks them again.
const COUNT = { minimum: 1, maximum: 1_000_000 }
const SECONDS = { minimum: 0.1, maximum: 31 * 24 * 3_600 }

const BASE = { description: null, isRequired: false, isNullable: false }

export const LIMITS_FIELD: GroupField = {
  ...BASE,
  kind: 'group',
  name: '',
  label: 'Limits',
  isRequired: true,
  members: [
    {
      ...leaf('concurrency', 'integer', 'At once', COUNT),
      description: 'Maximum number of attempts that run at the same time',
    },
    {
      ...BASE,
      kind: 'group',
      name: 'rate_limit',
      label: 'Starts',
      description: 'Maximum number of attempts that start in any span of so many seconds',
      members: [
        leaf('limit', 'integer', 'Attempts', COUNT),
        leaf('per_seconds', 'number', 'Per seconds', SECONDS),
      ],
    },
  ],
}

function leaf(name: string, kind: LeafKind, label: string, limits: Limits): LeafField {
  return { ...BASE, name, kind, label, limits, choices: [], initial: '', example: '' }
}

/** Reads the limits from their draft. An empty field removes its limit. */
export function readLimits(draft: Draft): { limits: QueueLimits; faults: Faults } {
  const { value, faults } = readField(LIMITS_FIELD, draft)
  // The type assertion is safe: the value was built from LIMITS_FIELD, whose members have these names and
  // types. Only the two members of the rate limit can be missing.
  const { concurrency = null, rate_limit = null } = value as GivenLimits
  const missing = rate_limit && PAIR.filter((name) => rate_limit[name] === undefined)
  for (const name of missing ?? []) faults[`rate_limit/${name}`] ??= 'Fill in both fields, or none.'
  return { limits: { concurrency, rate_limit }, faults }
}

const PAIR = ['limit', 'per_seconds'] as const
