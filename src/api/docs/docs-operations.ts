// Operations of the documentation.
import { HTML_PAGE, json, type Operations } from '../openapi/operation.ts'

export const docsOperations: Operations = {
  get_openapi: {
    route: 'GET /openapi.json',
    summary: 'This document',
    access: null,
    parameters: ['IfNoneMatch'],
    responses: {
      200: { description: 'OpenAPI 3.1.', headers: ['ETag'], content: json({ type: 'object' }) },
      304: { description: 'The document has not changed.', headers: ['ETag'] },
    },
  },
  get_docs: {
    route: 'GET /docs',
    summary: 'Interactive documentation',
    access: null,
    responses: {
      200: { description: 'An HTML page that loads nothing from other hosts.', content: HTML_PAGE },
    },
  },
  get_docs_file: {
    route: 'GET /docs/:file',
    summary: 'File of the documentation page',
    access: null,
    parameters: ['DocsFile', 'IfNoneMatch'],
    responses: {
      200: {
        description: 'A script, style sheet or image.',
        headers: ['ETag'],
        content: {
          'text/javascript': { schema: { type: 'string' } },
          'text/css': { schema: { type: 'string' } },
          'image/png': { schema: {} },
        },
      },
      304: { description: 'The file has not changed.', headers: ['ETag'] },
    },
    problems: ['not_found'],
  },
}
