// Scripts that `waggle init` adds to the package.json of a project.
import { expect, test } from 'vitest'
import { addScripts } from '../../src/templates/package-scripts.ts'

const SCRIPTS = { 'infra:plan': 'node main.ts plan', 'infra:apply': 'node main.ts apply' }

test('scripts are added after the others, and the text keeps its indentation and its other fields', () => {
  const text = '{\n\t"name": "a",\n\t"scripts": {\n\t\t"test": "vitest"\n\t},\n\t"private": true\n}\n'
  expect(addScripts(text, SCRIPTS)).toEqual({
    text: text.replace(
      '"vitest"',
      '"vitest",\n\t\t"infra:plan": "node main.ts plan",\n\t\t"infra:apply": "node main.ts apply"',
    ),
    added: ['infra:plan', 'infra:apply'],
    kept: [],
  })
})

test('a package.json without scripts gets them', () => {
  const { text, added } = addScripts('{ "name": "a" }', SCRIPTS)
  expect(JSON.parse(text)).toEqual({ name: 'a', scripts: SCRIPTS })
  expect(added).toEqual(['infra:plan', 'infra:apply'])
})

test('a script that exists stays as it is, and is named if it differs', () => {
  const text = JSON.stringify({ scripts: { 'infra:plan': 'mine', 'infra:apply': SCRIPTS['infra:apply'] } })
  expect(addScripts(text, SCRIPTS)).toEqual({ text, added: [], kept: ['infra:plan'] })
})
