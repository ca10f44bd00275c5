// The command `keys create`: creates an API key, and prints it with its entry for API_KEYS. The key is not
// stored anywhere.
import { createApiKey } from '../api/http/api-keys.ts'
import { SCOPES, type Scope } from '../config.ts'

export async function createKey(name: string, scopes: Scope[]): Promise<void> {
  const { key, entry } = createApiKey(
    name,
    SCOPES.filter((scope) => scopes.includes(scope)),
  )
  process.stdout.write(`The key, for the client. It is not stored and not shown again:
  ${key}
Its entry, for API_KEYS (entries are separated by commas):
  ${entry}
`)
}
