// Regular expressions in the OpenAPI document, which clients in other languages compile.
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDocumentFolder, type DocumentFolder } from './support/document-folder.ts'
import { runSuccessfully } from './support/programs.ts'

const hasPython = spawnSync('python3', ['--version']).status === 0

/** Reads [pattern, texts] pairs from its argument. Writes for each pair whether the pattern is found in each text. */
const SEARCH = `
import json, re, sys
pairs = [(re.compile(pattern), texts) for pattern, texts in json.loads(sys.argv[1])]
print(json.dumps([[pattern.search(text) is not None for text in texts] for pattern, texts in pairs]))`

let folder: DocumentFolder
let patterns: string[]
beforeAll(() => {
  folder = createDocumentFolder([])
  patterns = [...new Set(patternsIn(folder.document))]
})
afterAll(() => folder.remove())

test('the document has patterns', () => {
  expect(patterns.length).toBeGreaterThan(5)
})

test('every pattern compiles in JavaScript, with the flag u and without', () => {
  for (const pattern of patterns)
    for (const flags of ['', 'u']) expect(new RegExp(pattern, flags)).toBeDefined()
})

test.skipIf(!hasPython)('every pattern compiles in Python (skipped without python3)', async () => {
  expect(await searchInPython(patterns.map((pattern) => [pattern, []]))).toEqual(patterns.map(() => []))
})

describe('the pattern of tags accepts and rejects the same texts everywhere', () => {
  const texts = ['urgent', 'größe, 東京', '🐝', 'a\nb', '\u0000', 'a\u007fb', '\u0085', '']
  const isTag = [true, true, true, false, false, false, false, false]

  test.each(['', 'u'])('in JavaScript with the flags "%s"', (flags) => {
    expect(texts.map((text) => new RegExp(patternOfTags(), flags).test(text))).toEqual(isTag)
  })

  test.skipIf(!hasPython)('in Python (skipped without python3)', async () => {
    expect(await searchInPython([[patternOfTags(), texts]])).toEqual([isTag])
  })
})

function patternOfTags(): string {
  const { SubmitOptions: options } = folder.document.components.schemas
  return Object(options).properties.tags.items.pattern
}

async function searchInPython(pairs: [pattern: string, texts: string[]][]): Promise<boolean[][]> {
  return JSON.parse(
    await runSuccessfully('python3', ['-c', SEARCH, JSON.stringify(pairs)], { cwd: folder.path }),
  )
}

/** Lists the values of `pattern` and the member names of `patternProperties`, at any depth. */
function patternsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    if (name === 'pattern' && typeof member === 'string') return [member]
    const own = name === 'patternProperties' ? Object.keys(Object(member)) : []
    return [...own, ...patternsIn(member)]
  })
}
