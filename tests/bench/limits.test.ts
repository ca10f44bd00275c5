// How the bench of limits and tests count events in sliding windows.
import { expect, test } from 'vitest'
import { mostWithin } from '../support/sliding-window.ts'

test('the window slides: it does not begin at full seconds', () => {
  expect(mostWithin([900, 950, 1_000, 1_800, 1_950], 1_000)).toBe(4)
})

test('events that are exactly one window apart are in different windows', () => {
  expect(mostWithin([0, 1_000, 2_000], 1_000)).toBe(1)
  expect(mostWithin([0, 999, 1_000], 1_000)).toBe(2)
})

test('the times may be in any order, and there may be none', () => {
  expect(mostWithin([5, 1, 3], 3)).toBe(2)
  expect(mostWithin([], 3)).toBe(0)
})
