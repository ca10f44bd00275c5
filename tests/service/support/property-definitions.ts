// Task definitions whose inputs differ in how strict they are. Property tests submit random inputs to them.
import { z } from 'zod'
import { defineTask } from '../../../src/definitions/define.ts'

const quick = { description: 'for tests', output: z.unknown(), run: async () => null }
const anything = defineTask({
  ...quick,
  name: 'anything',
  title: 'Takes anything',
  input: z.unknown(),
  example: 1,
})
const document = defineTask({
  ...quick,
  name: 'document',
  title: 'Takes what z.json() accepts',
  input: z.json(),
  example: 1,
})
const form = defineTask({
  ...quick,
  name: 'form',
  title: 'Takes two members',
  input: z.object({ text: z.string(), more: z.unknown().optional() }),
  example: { text: 'a' },
})

export const propertyDefinitions = [anything, document, form]
