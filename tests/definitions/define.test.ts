// What `defineTask` refuses from code that is not type-checked.
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'

const task = {
  name: 'note',
  title: 'Note',
  description: 'Notes a number.',
  input: z.object({ number: z.int() }),
  output: z.object({}),
  example: { number: 1 },
  run: async () => ({}),
}

test.each([
  [{ output: undefined }, 'Task "note": output must be a schema of Zod 4'],
  [{ input: { number: 1 } }, 'Task "note": input must be a schema of Zod 4'],
  [{ run: undefined }, 'Task "note": run must be a function'],
  [{ example: { number: 'one' } }, 'Task "note": the example is not a valid input'],
  [{ name: 'Note' }, 'Task "Note": the name must begin with a lower case letter'],
])('%o is refused', (member, message) => {
  expect(() => defineTask({ ...task, ...member } as never)).toThrow(message)
})

test('schemas of another copy of Zod are accepted', () => {
  const other: typeof z = createRequire(import.meta.url)('zod')
  expect(other.object).not.toBe(z.object)
  expect(defineTask({ ...task, output: other.object({}) }).name).toBe('note')
})
