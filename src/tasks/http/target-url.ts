// The URLs that a request may go to, as far as one can tell without asking anybody.
import { isIP } from 'node:net'
import { z } from 'zod'
import type { AddressGuard } from './address-guard.ts'

// What browsers and servers agree on to take; also the width of a line in a log.
const MAX_URL_LENGTH = 2_048

/** A URL in an input: http or https, without credentials, and not a literal address that the guard refuses. */
export function targetUrl(guard: AddressGuard) {
  return z
    .string()
    .max(MAX_URL_LENGTH, { abort: true })
    .superRefine((text, context) => {
      const fault = faultOfUrl(text) ?? faultOfAddress(text, guard)
      if (fault) context.addIssue({ code: 'custom', message: fault })
    })
}

/** What is wrong with a URL whatever the network says; null when nothing is. */
export function faultOfUrl(text: string): string | null {
  if (text.length > MAX_URL_LENGTH) return `must be at most ${MAX_URL_LENGTH} characters`
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be a URL that begins with http:// or https://'
  if (url.username || url.password) return 'must not contain a user name or a password: send them in a header'
  return null
}

/** The host without the brackets that an IPv6 address wears in a URL. */
export function hostOf({ hostname }: { hostname: string }): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** Fit to be shown to whoever gave the URL: names the host and the setting, and not what the host resolves to. */
export function refusalOf(host: string): string {
  return `the host "${host}" is not on the public internet; HTTP_REQUEST_ALLOW can allow it`
}

function faultOfAddress(text: string, guard: AddressGuard): string | null {
  const host = hostOf(new URL(text))
  return isIP(host) !== 0 && !guard.isAllowed(host, host) ? refusalOf(host) : null
}
