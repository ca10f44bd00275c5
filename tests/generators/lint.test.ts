// Redocly and Spectral find nothing in the OpenAPI document but the exceptions that their settings list.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDocumentFolder, type DocumentFolder } from './support/document-folder.ts'
import { HERE, runProgram, toolOf } from './support/programs.ts'

const REDOCLY_EXCEPTIONS = '.redocly.lint-ignore.yaml'

let folder: DocumentFolder
beforeAll(() => {
  folder = createDocumentFolder(['redocly.yaml', REDOCLY_EXCEPTIONS, '.spectral.yaml'])
})
afterAll(() => folder.remove())

test('Redocly finds no error and no warning but its exceptions, and all of these are still needed', async () => {
  const { stdout } = await lint('redocly', ['lint', 'openapi.json', '--format=json'])
  const { totals, problems } = JSON.parse(stdout)
  const found = problems.filter(({ ignored }: { ignored?: boolean }) => !ignored)
  expect(found).toEqual([])
  const exceptions = readFileSync(join(HERE, REDOCLY_EXCEPTIONS), 'utf8').match(/^ +- '#/gm)
  expect(totals).toEqual({ errors: 0, warnings: 0, ignored: exceptions?.length })
})

test('Spectral finds no error, warning or hint but its exceptions', async () => {
  const { stdout } = await lint('spectral', ['lint', 'openapi.json', '--format=json', '--quiet'])
  expect(JSON.parse(stdout)).toEqual([])
})

const lint = (name: string, args: string[]) => runProgram(toolOf(name), args, { cwd: folder.path })
