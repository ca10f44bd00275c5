// The files of the documentation page: ours, and Swagger UI's. They come from a package that carries Swagger UI without
// the install script by which its own package reports every installation to its makers.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tagOf } from '../../http/entity-tag.ts'

export interface DocsFile {
  content: Uint8Array<ArrayBuffer>
  type: string
  tag: string
}

const FILES: Record<string, { of: 'us' | 'the viewer'; type: string }> = {
  'start.js': { of: 'us', type: 'text/javascript; charset=utf-8' },
  'page.css': { of: 'us', type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': { of: 'the viewer', type: 'text/javascript; charset=utf-8' },
  'swagger-ui.css': { of: 'the viewer', type: 'text/css; charset=utf-8' },
  'favicon-32x32.png': { of: 'the viewer', type: 'image/png' },
}

/** The page and, by name, what it asks for. Their version is in every URL, so that they can be kept for ever. */
export function readDocsPage(): { html: string; files: Map<string, DocsFile> } {
  const viewer = new URL('static/', import.meta.resolve('@fastify/swagger-ui/package.json'))
  const files = new Map(
    Object.entries(FILES).map(([name, { of, type }]) => {
      const content = new Uint8Array(readFileSync(new URL(name, of === 'us' ? import.meta.url : viewer)))
      return [name, { content, type, tag: tagOf(content) }]
    }),
  )
  const tags = [...files.values()].map(({ tag }) => tag)
  const version = createHash('sha256').update(tags.join()).digest('hex').slice(0, 12)
  const html = readFileSync(new URL('index.html', import.meta.url), 'utf8')
  return { html: html.replaceAll('{{version}}', version), files }
}
