// Warns on standard error if the API requires no key and listens on more than the loopback interface.
import { isLoopback } from '../api/http/same-site.ts'
import type { Config } from '../config.ts'

export function warnWithoutKeys({ API_KEYS: apiKeys, HOST: host }: Config): void {
  if (!apiKeys && !isLoopback(host))
    process.stderr.write(
      `Warning: API_KEYS is not set. Every client that can reach ${host} can use the API\n`,
    )
}
