// The command `keys`: creates an API key, and prints it with its entry for API_KEYS. The key is not stored
// anywhere.
import { parseArgs } from 'node:util'
import { createApiKey } from '../api/http/api-keys.ts'
import { type Environment, SCOPES } from '../config.ts'

export async function keys(_environment: Environment, args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { name: { type: 'string' }, scope: { type: 'string', multiple: true } },
  })
  const { name = '', scope: scopes = [] } = values
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope))
  if (positionals.join() !== 'create' || !/^[\w.-]{1,64}$/.test(name) || scopes.length === 0 || unknown) {
    throw new Error(`Usage: npm run keys -- create --name <letters, digits, . _ -> --scope ${SCOPES.join('|')}
  --scope may be given several times`)
  }
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
