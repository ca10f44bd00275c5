// Where a request comes from, also behind proxies of ours.
import type { Context } from 'hono'

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
    return entry?.trim() || addressOf(c) || 'unknown'
  }
}
