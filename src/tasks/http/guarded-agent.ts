// An HTTP agent that connects only to allowed addresses. It checks the resolved address that the socket then
// uses, so a name that resolves to another address later (DNS rebinding) cannot bypass the check.
import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { PermanentError } from '../../definitions/define.ts'
import type { AddressGuard } from './address-guard.ts'
import { hostOf, refusalOf } from './target-url.ts'

/** A DNS lookup. Resolves with all addresses of a host; rejects if it has none. */
export type Resolve = (host: string) => Promise<{ address: string; family: number }[]>

const CONNECT_TIMEOUT_MS = 10_000
// Maximum size of the headers of a response. Larger ones are rejected as implausible: even bodies are read
// only up to 64 KiB.
const MAX_HEADERS_BYTES = 16 * 1_024

/**
 * Creates the agent for all requests of this process. It keeps connections open for reuse, follows no
 * redirects and ignores proxy variables. A request rejects with a PermanentError if the guard refuses one of
 * the addresses of its host.
 */
export function createGuardedAgent(guard: AddressGuard, resolve: Resolve = resolveBySystem): Agent {
  const connectToAllowed = buildConnector({
    lookup: lookupAllowed(guard, resolve),
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: false,
  })
  return new Agent({
    connect(options, callback) {
      const host = hostOf(options)
      // A literal IP address is checked here, because Node calls `lookup` only for host names.
      if (isIP(host) !== 0 && !guard.isAllowed(host, host)) return callback(refused(host), null)
      connectToAllowed(options, callback)
    },
    maxHeaderSize: MAX_HEADERS_BYTES,
    // The timeouts of undici are off, because the AbortSignal of the attempt aborts the request at the time
    // limit of the task.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

function resolveBySystem(host: string) {
  return lookup(host, { all: true })
}

function lookupAllowed(guard: AddressGuard, resolve: Resolve): LookupFunction {
  return (host, { all }, callback) => {
    resolve(host).then(
      (addresses) => {
        const [first] = addresses
        const isRefused = addresses.some(({ address }) => !guard.isAllowed(host, address))
        if (!first || isRefused) return callback(refused(host), [])
        if (all) return callback(null, addresses)
        callback(null, first.address, first.family)
      },
      (error) => callback(error, []),
    )
  }
}

function refused(host: string): PermanentError {
  return new PermanentError(refusalOf(host))
}
