// Reads the files of the documentation page: those of this folder, and Swagger UI from @fastify/swagger-ui.
// Swagger UI's own package is not used, because its install script reports every installation to its makers.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tagOf } from '../../http/entity-tag.ts'

export interface DocsFile {
  content: Uint8Array<ArrayBuffer>
  type: string
  tag: string
}

const FILES: Record<string, { from: 'page' | 'viewer'; type: string }> = {
  'start.js': { from: 'page', type: 'text/javascript; charset=utf-8' },
  'page.css': { from: 'page', type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': { from: 'viewer', type: 'text/javascript; charset=utf-8' },
  'swagger-ui.css': { from: 'viewer', type: 'text/css; charset=utf-8' },
  'favicon-32x32.png': { from: 'viewer', type: 'image/png' },
}

/**
 * Returns the HTML of the documentation page, and its other files by name. The HTML refers to the files by
 * URLs that contain a hash of all their contents, so browsers can cache the files forever.
 */
export function readDocsPage(): { html: string; files: Map<string, DocsFile> } {
  const viewer = new URL('static/', import.meta.resolve('@fastify/swagger-ui/package.json'))
  const files = new Map(
    Object.entries(FILES).map(([name, { from, type }]) => {
      const content = new Uint8Array(readFileSync(new URL(name, from === 'page' ? import.meta.url : viewer)))
      return [name, { content, type, tag: tagOf(content) }]
    }),
  )
  const tags = [...files.values()].map(({ tag }) => tag)
  const version = createHash('sha256').update(tags.join()).digest('hex').slice(0, 12)
  const html = readFileSync(new URL('index.html', import.meta.url), 'utf8')
  return { html: html.replaceAll('{{version}}', version), files }
}
