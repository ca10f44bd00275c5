// Opens connections to allowed addresses only. The address that is checked is the very one that is dialled: a name that
// resolves to something else a moment later (DNS rebinding) gains nothing.
import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { PermanentError } from '../../definitions/define.ts'
import type { AddressGuard } from './address-guard.ts'
import { hostOf, refusalOf } from './target-url.ts'

/** All addresses of a host; rejects when there is none. */
export type Resolve = (host: string) => Promise<{ address: string; family: number }[]>

const CONNECT_TIMEOUT_MS = 10_000
// Answers are read to 64 KiB; so much in headers is no answer.
const MAX_HEADERS_BYTES = 16 * 1_024

/**
 * For every request of this process; keeps connections open for the next. Rejects with a PermanentError where one of the
 * host's addresses is refused. Follows no redirect and heeds no proxy of the environment.
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
      // Nothing is looked up for a literal address.
      if (isIP(host) !== 0 && !guard.isAllowed(host, host)) return callback(refused(host), null)
      connectToAllowed(options, callback)
    },
    maxHeaderSize: MAX_HEADERS_BYTES,
    // How long an attempt may take is said by the signal of its task.
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
  return new PermanentError(`Task "http_request": ${refusalOf(host)}`)
}
