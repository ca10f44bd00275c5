// UUIDv7 ids. A failure prints the seed that reproduces it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { firstIdOf, newId, timeOfId } from '../../src/base/uuidv7.ts'

describe('an id', () => {
  const timestamps = fc.integer({ min: 0, max: 2 ** 48 - 2 })

  test('contains its timestamp and sorts between the first ids of that millisecond and the next', () => {
    fc.assert(
      fc.property(timestamps, (atMs) => {
        const id = newId(atMs)
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(timeOfId(id)).toBe(atMs)
        expect(id >= firstIdOf(atMs) && id < firstIdOf(atMs + 1)).toBe(true)
      }),
    )
  })
})
