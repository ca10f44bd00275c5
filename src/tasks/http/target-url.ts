// Validates the target URL of an outgoing request, as far as this is possible without a DNS lookup.
import { isIP } from 'node:net'
import { z } from 'zod'
import type { AddressGuard } from './address-guard.ts'

// Maximum length of a target URL. Browsers and servers commonly accept URLs of this length, and it keeps log
// lines short.
const MAX_URL_LENGTH = 2_048

/**
 * Returns the schema of a target URL. It accepts http and https, refuses credentials, and refuses literal IP
 * addresses that the guard does not allow.
 */
export function targetUrl(guard: AddressGuard) {
  return z
    .string()
    .max(MAX_URL_LENGTH, { abort: true })
    .superRefine((text, context) => {
      const fault = faultOfUrl(text) ?? faultOfAddress(text, guard)
      if (fault) context.addIssue({ code: 'custom', message: fault })
    })
}

/** Returns why a URL is invalid, or null if it is valid. Does not check whether its host is allowed. */
export function faultOfUrl(text: string): string | null {
  if (text.length > MAX_URL_LENGTH) return `must be at most ${MAX_URL_LENGTH} characters`
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be a URL that begins with http:// or https://'
  if (url.username || url.password) return 'must not contain a user name or a password: send them in a header'
  return null
}

/** Returns the host of a URL; if it is an IPv6 address, without the brackets. */
export function hostOf({ hostname }: { hostname: string }): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** Returns the error message for a refused host. Clients see it, so it omits the resolved address. */
export function refusalOf(host: string): string {
  return `the host "${host}" is not on the public internet; HTTP_REQUEST_ALLOW can allow it`
}

function faultOfAddress(text: string, guard: AddressGuard): string | null {
  const host = hostOf(new URL(text))
  return isIP(host) !== 0 && !guard.isAllowed(host, host) ? refusalOf(host) : null
}
