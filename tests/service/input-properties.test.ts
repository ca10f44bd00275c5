// Random JSON inputs: the API returns them unchanged. A failure prints the seed that reproduces it.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSystem, type TestSystem } from '../support/system.ts'
import { propertyDefinitions } from './support/property-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  // There is no worker, so tasks stay PENDING.
  system = await startSystem({ definitions: propertyDefinitions, worker: false })
})
afterAll(() => system.stop())

// Strings, names and numbers that JavaScript, JSON and Postgres treat differently.
const TEXTS = [
  '',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\u2028',
  '\ufeff',
  '"\\',
  '\u{1f41d}',
  "';--",
  '{a,b}',
]
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toJSON',
  'hasOwnProperty',
  'length',
  '',
  '0',
  '10',
  '9',
]
const NUMBERS = ['0', '-0', '1e21', '1.0', '1E+2', '0.1', '5e-324', '9007199254740992', '1e308', '-1e25']

const jsonText = fc.letrec<{ value: string; text: string; name: string }>((tie) => ({
  text: fc
    .oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 20 }))
    .map((text) => JSON.stringify(text)),
  name: fc.oneof(
    fc.constantFrom(...NAMES).map((name) => JSON.stringify(name)),
    tie('text'),
  ),
  value: fc.oneof(
    { maxDepth: 4 },
    tie('text'),
    fc.constantFrom('null', 'true', 'false', ...NUMBERS),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(' , ')}]`),
    // A name can occur twice: JSON.parse keeps the last value at the position of the first.
    fc
      .array(fc.tuple(tie('name'), tie('value')), { maxLength: 4 })
      .map((members) => `{ ${members.map(([name, value]) => `${name} : ${value}`).join(', ')} }`),
  ),
})).value

/** The input that the API returns: parsed by JSON.parse and serialized by JSON.stringify. */
const normalized = (text: string) => JSON.stringify(JSON.parse(text))

describe('an input is returned', () => {
  test('byte for byte, if the definition accepts any input', async () => {
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        expect(await inputsOf('anything', text)).toEqual([normalized(text), normalized(text)])
      }),
      { numRuns: 150 },
    )
  })

  test('byte for byte with an Idempotency-Key, also to a repeated request', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        const headers = { 'Idempotency-Key': `input-${run++}` }
        const [first] = await inputsOf('anything', text, headers)
        const [again] = await inputsOf('anything', text, headers)
        expect([first, again]).toEqual([normalized(text), normalized(text)])
      }),
      { numRuns: 60 },
    )
  })

  test('with all digits of its numbers, or is rejected with a pointer to the number', async () => {
    const digits = (min: number, max: number) =>
      fc.stringMatching(new RegExp(`^[1-9]\\d{${min - 1},${max - 1}}$`), { size: 'max' })
    const number = fc.oneof(
      digits(1, 24),
      digits(14, 18).map((text) => `-${text}`),
      fc.tuple(digits(1, 18), digits(1, 3)).map(([mantissa, exponent]) => `${mantissa}e${exponent}`),
    )
    let keptCount = 0
    let refusedCount = 0
    await fc.assert(
      fc.asyncProperty(number, async (text) => {
        const body = `{"input":{"id":[${text}]}}`
        const { status, text: response } = await submitText('anything', body)
        if (status === 202) {
          keptCount++
          const kept: string = /"id":\[(.*?)\]/.exec(response)?.[1] ?? ''
          expect(BigInt(whole(kept))).toBe(BigInt(whole(text)))
        } else {
          refusedCount++
          expect(JSON.parse(response)).toMatchObject({ status: 422, errors: [{ pointer: '#/input/id/0' }] })
          expect(
            Number.isFinite(Number(text)) && BigInt(whole(text)) === BigInt(whole(String(Number(text)))),
          ).toBe(false)
        }
      }),
      { numRuns: 150 },
    )
    expect(Math.min(keptCount, refusedCount)).toBeGreaterThan(10)
  })

  test('byte for byte without members named __proto__, if the definition takes z.json()', async () => {
    await fc.assert(
      fc.asyncProperty(jsonText, async (text) => {
        // zod omits members named __proto__ from every record.
        const withoutProto = JSON.parse(text, (_name, value) => {
          if (typeof value === 'object' && value !== null) delete value['__proto__' as never]
          return value
        })
        const expected = JSON.stringify(withoutProto)
        expect(await inputsOf('document', text)).toEqual([expected, expected])
      }),
      { numRuns: 60 },
    )
  })

  test('with the known members in the order of the definition, if it takes a z.object()', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TEXTS), jsonText, async (given, more) => {
        const text = JSON.stringify(given)
        const expected = `{"text":${text},"more":${normalized(more)}}`
        expect(await inputsOf('form', `{"unknown":${more},"more":${more},"text":${text}}`)).toEqual([
          expected,
          expected,
        ])
      }),
      { numRuns: 40 },
    )
  })
})

/** Writes a number without exponent and fraction. */
function whole(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [integer = '', fraction = ''] = mantissa.split('.')
  return `${integer}${fraction}${'0'.repeat(Number(exponent) - fraction.length)}`
}

async function submitText(name: string, body: string) {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${system.url}/v1/tasks/${name}`, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text() }
}

/** Returns the JSON text of the input in the response to the submission and in that to a later read. */
async function inputsOf(
  name: string,
  input: string,
  headers: Record<string, string> = {},
): Promise<(string | undefined)[]> {
  const submitted = await fetch(`${system.url}/v1/tasks/${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: `{"input":${input}}`,
  })
  const first = await submitted.text()
  expect(submitted.status, first).toBe(202)
  const read = await fetch(`${system.url}${submitted.headers.get('Location')}`)
  return [first, await read.text()].map(
    (text) => /"status":"PENDING","input":(.*),"result":null,"error":null,"progress"/s.exec(text)?.[1],
  )
}
