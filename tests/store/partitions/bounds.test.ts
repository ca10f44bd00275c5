// The bounds, widths and names of partitions.
import { describe, expect, test } from 'vitest'
import { boundsAhead, suffixOf, widthFor } from '../../../src/store/partitions/bounds.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.parse('2026-11-30T15:30:00Z')
const TODAY = Date.parse('2026-11-30T00:00:00Z')
const days = (...numbers: number[]) => numbers.map((number) => TODAY + number * DAY)

describe('the width of a partition', () => {
  test.each([
    [1, HOUR],
    [2, 2 * HOUR],
    [7, 6 * HOUR],
    [30, DAY],
    [90, 4 * DAY],
    [365, 14 * DAY],
    [3_650, 91 * DAY],
  ])('follows from a retention of %i days', (kept, width) => {
    expect(widthFor(kept * DAY)).toBe(width)
    expect((kept * DAY) / width).toBeLessThanOrEqual(41)
  })

  test('is a quarter of a year if tasks are kept forever', () => {
    expect(widthFor(undefined)).toBe(91 * DAY)
  })
})

describe('the newest partition is divided', () => {
  test('from today to a week ahead when the table is new', () => {
    const bounds = boundsAhead({ fromMs: null, toMs: null }, null, NOW, DAY)
    expect(bounds).toEqual(days(0, 1, 2, 3, 4, 5, 6, 7, 8))
  })

  test('once a day after that', () => {
    const newest = { fromMs: TODAY + 8 * DAY, toMs: null }
    expect(boundsAhead(newest, null, NOW, DAY)).toEqual([])
    expect(boundsAhead(newest, null, TODAY + DAY - 1, DAY)).toEqual([])
    expect(boundsAhead(newest, null, TODAY + DAY, DAY)).toEqual(days(9))
  })

  test('after a month without a worker and without tasks: the first partition contains that month', () => {
    const bounds = boundsAhead({ fromMs: TODAY - 25 * DAY, toMs: null }, null, NOW, DAY)
    expect(bounds).toEqual(days(0, 1, 2, 3, 4, 5, 6, 7, 8))
  })

  test('above its newest task and a week ahead if it contains tasks', () => {
    const newest = { fromMs: TODAY - 25 * DAY, toMs: null }
    expect(boundsAhead(newest, NOW - 1, NOW, DAY)).toEqual(days(8))
    expect(boundsAhead(newest, TODAY + 40 * DAY, NOW, DAY)).toEqual(days(41))
  })

  test('not at all while the clock is behind', () => {
    expect(boundsAhead({ fromMs: TODAY, toMs: null }, null, NOW - 400 * DAY, DAY)).toEqual([])
  })

  test('at most eight partitions ahead if they are narrow', () => {
    const bounds = boundsAhead({ fromMs: null, toMs: null }, null, NOW, HOUR)
    expect(bounds[0]).toBe(Date.parse('2026-11-30T15:00:00Z'))
    expect(bounds).toHaveLength(10)
  })

  test('one wide partition ahead if they are wider than a week', () => {
    const bounds = boundsAhead({ fromMs: null, toMs: null }, null, NOW, 91 * DAY)
    expect(bounds.at(-1)).toBeGreaterThan(NOW + 7 * DAY)
    expect(bounds.length).toBeLessThanOrEqual(2 + 1)
  })
})

test('names contain the lower bound', () => {
  expect(suffixOf({ fromMs: TODAY, toMs: TODAY + DAY })).toBe('2026_11_30')
  expect(suffixOf({ fromMs: TODAY + 6 * HOUR, toMs: TODAY + 9 * HOUR })).toBe('2026_11_30_06')
  expect(suffixOf({ fromMs: null, toMs: TODAY })).toBe('past')
  expect(suffixOf({ fromMs: TODAY, toMs: null })).toBe('future')
})
