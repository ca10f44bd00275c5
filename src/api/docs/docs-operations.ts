// Operations of the documentation.
import { HTML_PAGE, json, type Operations } from '../openapi/operation.ts'

export const docsOperations: Operations = {
  get_openapi: {
    route: 'GET /openapi.json',
    summary: 'This document',
    description: 'Describes all routes, with the schemas of all task definitions.',
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
    description: 'Swagger UI: shows this document and sends requests to the API.',
    access: null,
    responses: {
      200: { description: 'An HTML page that loads nothing from other hosts.', content: HTML_PAGE },
    },
  },
  get_docs_file: {
    route: 'GET /docs/:file',
    summary: 'File of the documentation page',
    description: 'The page names these files with a hash of their content, so that browsers can keep them.',
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
