// Routes of the OpenAPI document, and of a page that shows it and can send requests to the API (Swagger UI).
// The page loads nothing from other hosts.
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { AppError } from '../../base/errors.ts'
import { VERSION } from '../../base/installation.ts'
import type { Registry } from '../../definitions/registry.ts'
import { isNotModified, tagOf } from '../http/entity-tag.ts'
import type { ProjectOperations } from '../openapi/operation.ts'
import { createApiDocument } from './api-document.ts'
import { readDocsPage } from './page/files.ts'

// Content-Security-Policy of the documentation page. It permits files from this server only, and `data:` URLs
// of images, because Swagger UI draws its icons from them.
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

/** @param projectOperations operations of the routes of the project */
export function createDocsRoutes(registry: Registry, projectOperations?: ProjectOperations) {
  const document = once(() => {
    const text = JSON.stringify(createApiDocument(registry, VERSION, projectOperations))
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
      if (isNotModified(c, tag)) return c.body(null, 304)
      return c.body(text, 200, { 'Content-Type': 'application/json' })
    })
    .get('/docs', (c) => {
      c.header('Cache-Control', 'no-cache')
      c.header('Content-Security-Policy', PAGE_POLICY)
      return c.html(page().html)
    })
    .get('/docs/:file', (c) => {
      const file = page().files.get(c.req.param('file'))
      if (!file)
        throw new AppError('not_found', `The documentation has no file "${c.req.param('file').slice(0, 64)}"`)
      c.header('ETag', file.tag)
      // Browsers may cache the file forever, because its URL in the page contains a hash of the content.
      c.header('Cache-Control', 'public, max-age=31536000, immutable')
      if (isNotModified(c, file.tag)) return c.body(null, 304)
      return c.body(file.content, 200, { 'Content-Type': file.type })
    })
}

/**
 * Returns a function that calls `make` on its first call only, and returns the result of that call every
 * time. The document and the page are created on first use, because most processes never serve them.
 */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
