// Protects an API without keys from pages of other sites, which could send requests to it through the browser
// of a user on this machine or network.
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import { AppError } from '../../base/errors.ts'

/**
 * Returns a check for requests. It rejects requests that a page of another site makes a browser send, unless
 * they only read, because the browser hides the response from that page. If the server listens on the
 * loopback interface, the check also rejects unknown host names, because any site can point its own name to
 * 127.0.0.1.
 * @param listensOn host names are checked only if this is a loopback name or address
 * @throws AppError (the check) `forbidden`
 */
export function createSiteCheck({ corsOrigins = [], listensOn }: SiteCheckOptions) {
  const allowedNames =
    listensOn !== undefined && isLoopback(listensOn)
      ? new Set([listensOn, ...corsOrigins.map((origin) => new URL(origin).host)].map(hostNameOf))
      : undefined
  // Nearly all requests have the same Host. Checking a name costs as much as matching a route.
  let lastAllowedHost: string | undefined
  return (c: Context) => {
    if (isHealthPath(c.req.path)) return
    if (isFromOtherSite(c, corsOrigins) && !isReadOnly(c)) throw new AppError('forbidden', OTHER_SITE)
    if (allowedNames) checkHost(c.req.header('Host'), allowedNames)
  }

  function checkHost(host: string | undefined, allowedNames: Set<string>) {
    if (!host || host === lastAllowedHost) return
    const name = hostNameOf(host)
    if (!isLoopback(name) && !allowedNames.has(name)) throw new AppError('forbidden', unknownHost(host))
    lastAllowedHost = host
  }
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

/** Whether this name or address always refers to this machine. */
export function isLoopback(name: string): boolean {
  // Browsers resolve these names to the loopback interface, whatever the DNS says (RFC 6761, 6.3).
  if (/^(.+\.)?localhost$/i.test(name)) return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback'
}

/** Whether a page of another site caused the request: browsers send Sec-Fetch-Site, programs do not. */
function isFromOtherSite(c: Context, origins: string[]): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  return (site === 'cross-site' || site === 'same-site') && !origins.includes(c.req.header('Origin') ?? '')
}

function isReadOnly({ req }: Context): boolean {
  // GET /submit_task submits a task.
  return (req.method === 'GET' || req.method === 'HEAD') && req.path !== '/submit_task'
}

/** Returns the host in lower case, without its port, and an IPv6 address without its brackets. */
function hostNameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/(?<=^[^:]*|\]):\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

/** Health paths accept every method, from pages of every site and under every host name. */
export function isHealthPath(path: string): boolean {
  return path === '/health' || path.startsWith('/health/')
}
