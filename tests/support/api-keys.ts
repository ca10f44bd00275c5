// API keys as an operator would configure them.
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { type ApiKey, readConfig, type Scope } from '../../src/config.ts'

export interface TestKeys {
  /** For `startSystem`. */
  apiKeys: ApiKey[]
  /** Headers that present the key of this name. */
  headers(name: string): { Authorization: string }
  /** The key itself. */
  key(name: string): string
}

/** Makes a key for every name, and reads their entries as the API reads them. */
export function createTestKeys(scopesByName: Record<string, Scope[]>): TestKeys {
  const made = Object.entries(scopesByName).map(([name, scopes]) => ({ name, ...createApiKey(name, scopes) }))
  const { API_KEYS: apiKeys = [] } = readConfig({ API_KEYS: made.map(({ entry }) => entry).join(',') })
  const key = (name: string) => made.find((entry) => entry.name === name)?.key ?? ''
  return { apiKeys, key, headers: (name) => ({ Authorization: `Bearer ${key(name)}` }) }
}
