// Finds the address of the client that sent a request, also behind trusted proxies.
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'

/** Returns the remote address of a request's connection; undefined if it is not known. */
export type AddressOf = (c: Context) => string | undefined

/**
 * Returns a function that finds the client's address. Each proxy appends the address of its caller to
 * X-Forwarded-For, so with two trusted proxies the second entry from the right is the client. Entries further
 * left are ignored, because the client may have written them itself.
 * @param proxies number of trusted proxies; with 0 the header is ignored
 */
export function clientAddressBehind(proxies: number, addressOf: AddressOf): (c: Context) => string {
  return (c) => {
    const forwarded = c.req.header('X-Forwarded-For')?.split(',') ?? []
    const entry = proxies === 0 ? undefined : forwarded[Math.max(0, forwarded.length - proxies)]
    return networkOf(entry?.trim() || addressOf(c) || 'unknown')
  }
}

/**
 * Returns a text that identifies the client: its IPv4 address, or the /64 network of its IPv6 address. A /64
 * network is the smallest that providers assign, so it counts as one client.
 */
function networkOf(entry: string): string {
  const [, bracketed, dotted] = /^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/.exec(entry) ?? []
  const text = bracketed ?? dotted ?? entry
  if (!ipaddr.isValid(text)) return entry
  // `ipaddr.process` converts an IPv4-mapped IPv6 address (::ffff:192.0.2.1) to the IPv4 address, so that a
  // client counts as the same one in both notations.
  const address = ipaddr.process(text)
  if (address instanceof ipaddr.IPv4) return address.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6(address.parts)}/64`)}/64`
}
