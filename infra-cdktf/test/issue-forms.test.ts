// .github/ISSUE_TEMPLATE: GitHub shows no form whose file is not valid, and reports the fault nowhere.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'

const FOLDER = new URL('../../.github/ISSUE_TEMPLATE/', import.meta.url)
const NAMES = readdirSync(FOLDER)
const FORMS = NAMES.filter((name) => name !== 'config.yml')
const read = (name: string): unknown => parse(readFileSync(new URL(name, FOLDER), 'utf8'))

// docs.github.com: "Syntax for issue forms" and "Syntax for GitHub's form schema".
const validations = z.strictObject({ required: z.boolean() }).optional()
const question = { label: z.string().min(1), description: z.string().optional() }
const id = z.string().regex(/^[\w-]+$/)
const element = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('markdown'), attributes: z.strictObject({ value: z.string().min(1) }) }),
  z.strictObject({
    type: z.literal('textarea'),
    id,
    attributes: z.strictObject({ ...question, render: z.string().optional() }),
    validations,
  }),
  z.strictObject({ type: z.literal('input'), id, attributes: z.strictObject(question), validations }),
  z.strictObject({
    type: z.literal('dropdown'),
    id,
    attributes: z.strictObject({ ...question, options: z.array(z.string()).min(1) }),
    validations,
  }),
])
const form = z.strictObject({
  name: z.string().min(1),
  description: z.string().min(1),
  labels: z.array(z.string()),
  body: z.array(element),
})

test.each(FORMS)('%s is a valid form whose questions differ', (name) => {
  const questions = form.parse(read(name)).body.flatMap((part) => (part.type === 'markdown' ? [] : [part]))
  expect(questions.length).toBeGreaterThan(1)
  expect(new Set(questions.map(({ id }) => id)).size).toBe(questions.length)
  expect(new Set(questions.map(({ attributes }) => attributes.label)).size).toBe(questions.length)
})

test('there are two forms, and no issue without a form', () => {
  expect(FORMS).toEqual(['bug.yml', 'feature.yml'])
  expect(read('config.yml')).toEqual({ blank_issues_enabled: false })
})
