// Entity tags: a client that already has the current content gets 304 without a body (RFC 9110, 8.8.3).
import { createHash } from 'node:crypto'
import type { Context } from 'hono'

/** Returns a strong entity tag, which is a hash of the content. */
export function tagOf(content: string | Uint8Array): string {
  return `"${createHash('sha256').update(content).digest('base64url')}"`
}

/** Checks whether If-None-Match names this tag, strong or weak, or is `*` (RFC 9110, 13.1.2). */
export function isNotModified(c: Context, tag: string): boolean {
  const known =
    c.req
      .header('If-None-Match')
      ?.split(',')
      .map((entry) => entry.trim().replace(/^W\//, '')) ?? []
  return known.includes(tag) || known.includes('*')
}
