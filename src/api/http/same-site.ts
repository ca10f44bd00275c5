// While the API is open, a browser must not lend its place on this machine or network to the pages of other sites.
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import { AppError } from '../../base/errors.ts'

/**
 * Refuses what the page of another site makes a browser send, unless it only reads (which shows such a page nothing),
 * and, on the loopback interface, what is addressed to a name that is not ours: names can be made to point there.
 * @param listensOn undefined, or no loopback address, leaves names alone
 * @throws AppError `forbidden`
 */
export function refuseForeignSites({ corsOrigins = [], listensOn }: Trusted) {
  const ownNames =
    listensOn !== undefined && isLoopback(listensOn)
      ? new Set([listensOn, ...corsOrigins.map((origin) => new URL(origin).host)].map(nameOf))
      : undefined
  // Nearly every request goes by the same name as the one before; to look at a name costs as much as to find a route.
  let lastOwnHost: string | undefined
  return (c: Context) => {
    if (isHealthPath(c.req.path)) return
    if (isFromForeignSite(c, corsOrigins) && !isMereReading(c)) throw new AppError('forbidden', FOREIGN_SITE)
    if (ownNames) refuseForeignName(c.req.header('Host'), ownNames)
  }

  function refuseForeignName(host: string | undefined, ownNames: Set<string>) {
    if (!host || host === lastOwnHost) return
    const name = nameOf(host)
    if (!isLoopback(name) && !ownNames.has(name)) throw new AppError('forbidden', foreignName(host))
    lastOwnHost = host
  }
}

interface Trusted {
  corsOrigins?: string[]
  listensOn?: string
}

const FOREIGN_SITE =
  'An API without keys takes this from pages of its own site only: name others in CORS_ORIGINS, or set API_KEYS'

function foreignName(host: string): string {
  return `An API without keys on the loopback interface does not go by the name "${host.slice(0, 64)}": name it in CORS_ORIGINS, or set HOST or API_KEYS`
}

/** Whether this name or address leads to this machine only. */
export function isLoopback(name: string): boolean {
  // Browsers take these for this machine, whatever the DNS says (RFC 6761, 6.3).
  if (/^(.+\.)?localhost$/i.test(name)) return true
  return ipaddr.isValid(name) && ipaddr.process(name).range() === 'loopback'
}

/** As every browser of today says it; a program does not. */
function isFromForeignSite(c: Context, origins: string[]): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  return (site === 'cross-site' || site === 'same-site') && !origins.includes(c.req.header('Origin') ?? '')
}

function isMereReading({ req }: Context): boolean {
  // This link submits.
  return (req.method === 'GET' || req.method === 'HEAD') && req.path !== '/submit_task'
}

/** The host without its port, and an IPv6 address without its brackets. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/(?<=^[^:]*|\]):\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

/** These are answered whatever else is refused. */
export function isHealthPath(path: string): boolean {
  return path === '/health' || path.startsWith('/health/')
}
