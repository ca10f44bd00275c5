import type { Context } from 'hono'

/** If-None-Match (RFC 9110, 13.1.2): a list, where a weak tag counts as its strong one, or any. */
export function isKnown(c: Context, tag: string): boolean {
  const known =
    c.req
      .header('If-None-Match')
      ?.split(',')
      .map((entry) => entry.trim().replace(/^W\//, '')) ?? []
  return known.includes(tag) || known.includes('*')
}
