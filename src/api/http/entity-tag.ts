// Entity tags: what a client already has is not sent again (RFC 9110, 8.8.3).
import { createHash } from 'node:crypto'
import type { Context } from 'hono'

/** A strong tag of this content. */
export function tagOf(content: string | Uint8Array): string {
  return `"${createHash('sha256').update(content).digest('base64url')}"`
}

/** If-None-Match (RFC 9110, 13.1.2): a list, where a weak tag counts as its strong one, or any. */
export function isKnown(c: Context, tag: string): boolean {
  const known =
    c.req
      .header('If-None-Match')
      ?.split(',')
      .map((entry) => entry.trim().replace(/^W\//, '')) ?? []
  return known.includes(tag) || known.includes('*')
}
