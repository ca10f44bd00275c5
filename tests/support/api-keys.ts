// Creates API keys, configured as an operator configures them.
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { type ApiKey, readConfig, type Scope } from '../../src/config.ts'

export interface TestKeys {
  /** An option of `startSystem`. */
  apiKeys: ApiKey[]
  /** Returns the Authorization header with the key of this name. */
  headers(name: string): { Authorization: string }
  /** Returns the key of this name. */
  key(name: string): string
}

/** Creates a key for every name, and parses their entries as the API does. */
export function createTestKeys(scopesByName: Record<string, Scope[]>): TestKeys {
  const made = Object.entries(scopesByName).map(([name, scopes]) => ({ name, ...createApiKey(name, scopes) }))
  const { API_KEYS: apiKeys = [] } = readConfig({ API_KEYS: made.map(({ entry }) => entry).join(',') })
  const key = (name: string) => made.find((entry) => entry.name === name)?.key ?? ''
  return { apiKeys, key, headers: (name) => ({ Authorization: `Bearer ${key(name)}` }) }
}
