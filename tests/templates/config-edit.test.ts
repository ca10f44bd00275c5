// Adding a task to the text of waggle.config.ts.
import { expect, test } from 'vitest'
import { addToConfig } from '../../src/templates/config-edit.ts'

const ADDED = { identifier: 'report', path: './tasks/report.ts' }

test.each([
  ['tasks: [hello],', 'tasks: [hello, report],'],
  ['tasks: [],', 'tasks: [report],'],
  ['tasks: [hello, other,],', 'tasks: [hello, other, report],'],
  ['tasks: [\n    hello,\n    other,\n  ],', 'tasks: [\n    hello,\n    other,\n    report,\n  ],'],
  ['tasks: [\n    hello,\n    other\n  ],', 'tasks: [\n    hello,\n    other,\n    report,\n  ],'],
])('the list %j becomes %j', (before, after) => {
  const textWith = (list: string, imports = '') =>
    `import { defineConfig } from 'waggle-tasks'\nimport {\n  hello,\n} from "./tasks/hello.ts";\n${imports}\nexport default defineConfig({\n  ${list}\n})\n`
  expect(addToConfig(textWith(before), ADDED)).toBe(
    textWith(after, "import { report } from './tasks/report.ts'\n"),
  )
})

test.each([
  ['no list', "import { all } from './all.ts'\nexport default defineConfig({ tasks: all })"],
  ['two lists', "import x from 'x'\nexport const a = { tasks: [] }\nexport const b = { tasks: [] }"],
  ['no import', 'export default { tasks: [] }'],
  ['a comment in the list', "import x from 'x'\nexport default { tasks: [\n  x, // the first\n] }"],
])('a text with %s is not changed', (_, text) => {
  expect(addToConfig(text, ADDED)).toBeUndefined()
})
