// Where a request comes from, also behind proxies of ours.
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'

/** The address at the other end of the connection; undefined where that cannot be known. */
export type AddressOf = (c: Context) => string | undefined

/**
 * Each proxy adds to X-Forwarded-For whom it was called by, so with two proxies the second entry from the right is the
 * client. What stands further left was written by the client, and is not believed.
 */
export function clientAddressBehind(proxies: number, addressOf: AddressOf): (c: Context) => string {
  return (c) => {
    const forwarded = c.req.header('X-Forwarded-For')?.split(',') ?? []
    const entry = proxies === 0 ? undefined : forwarded[Math.max(0, forwarded.length - proxies)]
    return networkOf(entry?.trim() || addressOf(c) || 'unknown')
  }
}

/** One client: an IPv4 address or, as providers give each customer at least that many, 2^64 addresses of IPv6. */
function networkOf(entry: string): string {
  const [, bracketed, dotted] = /^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/.exec(entry) ?? []
  const text = bracketed ?? dotted ?? entry
  if (!ipaddr.isValid(text)) return entry
  // An IPv4 address that came as one of IPv6 is the same client.
  const address = ipaddr.process(text)
  if (address instanceof ipaddr.IPv4) return address.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6(address.parts)}/64`)}/64`
}
