// Describes in OpenAPI how clients authenticate, and which API keys each operation accepts.
import type { Scope } from '../../config.ts'
import type { Operation } from './operation.ts'

const SCOPES = {
  submit: 'submit tasks',
  read: 'read tasks and the state of the system',
  operate: 'cancel, retry, replay, pause, drain, change schedules',
  reveal: 'see sensitive values of tasks',
} satisfies Record<Scope, string>

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description: `An API key. Each operation lists the scope that the key must have: ${scopesText()}.`,
  },
  apiKeyHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'The same key, for clients that cannot set Authorization.',
  },
  pollToken: {
    type: 'apiKey',
    in: 'query',
    name: 'poll_token',
    description: 'The `poll_token` from the response to a submission. It allows reading this one task only.',
  },
} as const

/** Whether requests to this operation can count against the client's rate limit. Most reads do not count. */
export function isLimited({ access, isExpensive }: Operation): boolean {
  return isExpensive !== undefined || access === 'submit' || access === 'operate'
}

/** Returns the security requirements of an operation. They are alternatives: a request must meet one. */
export function securityOf({ access }: Operation): Record<string, string[]>[] {
  switch (access) {
    case null:
      return []
    case 'any key':
      return withKey([])
    case 'read or poll token':
      return [...withKey(['read']), { pollToken: [] }]
    default:
      return withKey([access])
  }
}

function withKey(scopes: string[]): Record<string, string[]>[] {
  return [{ apiKey: scopes }, { apiKeyHeader: scopes }]
}

function scopesText(): string {
  return Object.entries(SCOPES)
    .map(([scope, permits]) => `\`${scope}\` (${permits})`)
    .join(', ')
}
