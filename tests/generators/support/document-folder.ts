// A temporary folder with the OpenAPI document of the sample project.
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FORMS_OPENAPI } from '../../../forms/form-operations.ts'
import packageJson from '../../../package.json' with { type: 'json' }
import { createApiDocument } from '../../../src/api/docs/api-document.ts'
import type { OpenApiDocument } from '../../../src/api/openapi/document.ts'
import { createSampleRegistry } from '../../support/sample-project.ts'
import { HERE } from './programs.ts'

export interface DocumentFolder {
  path: string
  document: OpenApiDocument
  remove(): void
}

/**
 * Creates a folder with `openapi.json`, the packages of the generators, and copies of these files.
 * @param files paths below the folder of the tests; the copies have the last part as their name
 */
export function createDocumentFolder(files: string[]): DocumentFolder {
  const path = mkdtempSync(join(tmpdir(), 'waggle-generators-'))
  const document = createApiDocument(createSampleRegistry([]), packageJson.version, FORMS_OPENAPI)
  writeFileSync(join(path, 'openapi.json'), JSON.stringify(document))
  symlinkSync(join(HERE, 'node_modules'), join(path, 'node_modules'))
  for (const file of files) copyFileSync(join(HERE, file), join(path, file.split('/').at(-1) ?? file))
  return { path, document, remove: () => rmSync(path, { recursive: true }) }
}
