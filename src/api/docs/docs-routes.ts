// The document of the API, and a page to read and try it that asks no other host for anything.
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import packageJson from '../../../package.json' with { type: 'json' }
import { AppError } from '../../base/errors.ts'
import type { Registry } from '../../definitions/registry.ts'
import { isKnown, tagOf } from '../http/entity-tag.ts'
import { createOpenApiDocument } from '../openapi/document.ts'
import { readDocsPage } from './page/files.ts'

// Swagger UI draws its icons from `data:` URLs; everything else is a file of ours.
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function createDocsRoutes(registry: Registry) {
  const document = once(() => {
    const text = JSON.stringify(createOpenApiDocument(registry, packageJson.version))
    return { text, tag: tagOf(text) }
  })
  const page = once(readDocsPage)

  return new Hono()
    .use('/docs/*', compress())
    .use('/openapi.json', compress())
    .get('/openapi.json', (c) => {
      const { text, tag } = document()
      c.header('ETag', tag)
      c.header('Cache-Control', 'no-cache')
      if (isKnown(c, tag)) return c.body(null, 304)
      return c.body(text, 200, { 'Content-Type': 'application/json' })
    })
    .get('/docs', (c) => {
      c.header('Cache-Control', 'no-cache')
      c.header('Content-Security-Policy', PAGE_POLICY)
      return c.html(page().html)
    })
    .get('/docs/:file', (c) => {
      const file = page().files.get(c.req.param('file'))
      if (!file) throw new AppError('not_found', 'The documentation has no such file')
      c.header('ETag', file.tag)
      // The page asks for them by their version.
      c.header('Cache-Control', 'public, max-age=31536000, immutable')
      if (isKnown(c, file.tag)) return c.body(null, 304)
      return c.body(file.content, 200, { 'Content-Type': file.type })
    })
}

/** Made when it is first asked for: most processes never are. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
