// Protects an API without keys from pages of other sites, which could send requests to it through the browser
// of a user on this machine or network.
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import { AppError } from '../../base/errors.ts'

/**
 * Returns a function that rejects requests which a page of another site makes a browser send. Requests that
 * only read pass, because the browser hides the response from that page.
 * @param listensOn name or address of the server. If it is a loopback name or address, the function also
 *   rejects unknown names in Host, because any site can point its own name to 127.0.0.1
 * @throws AppError (the check) `forbidden`
 */
export function createSiteCheck({ corsOrigins = [], listensOn }: SiteCheckOptions) {
  const allowedNames =
    listensOn !== undefined && isLoopback(listensOn)
      ? new Set([listensOn, ...corsOrigins.map((origin) => new URL(origin).host)].map(hostNameOf))
      : undefined
  // Caches the last accepted Host header, because nearly all requests have the same one, and a check costs as
  // much as matching a route.
  let lastAllowedHost: string | undefined
  return (c: Context) => {
    if (isHealthPath(c.req.path)) return
    if (!isReadOnly(c)) refuseOtherSite(c, corsOrigins)
    if (allowedNames) checkHost(c.req.header('Host'), allowedNames)
  }

  function checkHost(host: string | undefined, allowedNames: Set<string>) {
    if (!host || host === lastAllowedHost) return
    const name = hostNameOf(host)
    if (!isLoopback(name) && !allowedNames.has(name)) throw new AppError('forbidden', unknownHost(host))
    lastAllowedHost = host
  }
}

/**
 * Rejects a request that a page of another site makes a browser send. Routes whose GET requests change
 * something call it.
 * @throws AppError `forbidden`
 */
export function refuseOtherSite(c: Context, corsOrigins: string[] = []): void {
  if (isFromOtherSite(c, corsOrigins)) throw new AppError('forbidden', OTHER_SITE)
}

interface SiteCheckOptions {
  corsOrigins?: string[]
  listensOn?: string
}

const OTHER_SITE =
  'An API without keys accepts this request only from pages of its own site: add the other site to CORS_ORIGINS, or set API_KEYS'

function unknownHost(host: string): string {
  return `An API without keys on the loopback interface does not accept the host name "${host.slice(0, 64)}": add it to CORS_ORIGINS, or set HOST or API_KEYS`
}

/** Checks whether a host name or an IP address always refers to this machine. */
export function isLoopback(name: string): boolean {
  // Browsers resolve localhost and its subdomains to this machine, whatever the DNS says (RFC 6761, 6.3).
  if (/^(.+\.)?localhost$/i.test(name)) return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback'
}

/**
 * Checks whether a page of another site caused the request. Browsers report this in Sec-Fetch-Site, but omit
 * the header if the page reaches the server by plain HTTP under a name other than localhost. Then the host of
 * Origin must equal Host. Programs send neither header. A page of one of `origins` does not count as another
 * site.
 */
function isFromOtherSite(c: Context, origins: string[]): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  const origin = c.req.header('Origin')
  if (origin !== undefined && origins.includes(origin)) return false
  if (site !== undefined) return site === 'cross-site' || site === 'same-site'
  return origin !== undefined && hostOf(origin) !== c.req.header('Host')?.toLowerCase()
}

/** Returns the host of an origin, with the port if it is not the default one; undefined for `null`. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function isReadOnly({ req }: Context): boolean {
  return req.method === 'GET' || req.method === 'HEAD'
}

/** Returns the name or address in a Host header in lower case, without the port and without IPv6 brackets. */
function hostNameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/(?<=^[^:]*|\]):\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

/**
 * Checks whether this is the path of a health check. Health checks accept every method, requests from pages
 * of every site, and every host name.
 */
export function isHealthPath(path: string): boolean {
  return path === '/health' || path.startsWith('/health/')
}
