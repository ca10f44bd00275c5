// Tests how the bench of the ledger chooses measurements and computes its figures.
import { expect, test } from 'vitest'
import { chooseMeasurements } from '../../bench/ledger/choice.ts'
import {
  formatSection,
  largestDeviation,
  latenciesWithin,
  percentages,
  withRange,
  workedShare,
} from '../../bench/ledger/figures.ts'
import { tableOf } from '../../bench/table.ts'

test('the chosen measurements are done in their fixed order', () => {
  const all = ['retention', 'sizes', 'dashboard']
  expect(chooseMeasurements(all)).toEqual(all)
  expect(chooseMeasurements(all, 'dashboard,retention')).toEqual(['retention', 'dashboard'])
})

test('an unknown measurement is an error that names all measurements', () => {
  expect(() => chooseMeasurements(['drop', 'bytes'], 'drop,speed')).toThrow(
    'Unknown measurement "speed": expected drop, bytes',
  )
})

test('figures of several rounds are shown as median and range', () => {
  expect(withRange([1_300, 1_000, 1_200])).toBe('1,200 (1,000 to 1,300)')
  expect(withRange([95.25], 1)).toBe('95.3')
  expect(withRange([])).toBe('-')
})

test('figures are compared round by round', () => {
  expect(percentages([90, 220], [100, 200])).toEqual([90, 110])
})

test('the share of a flood with retention is the time from its first progress to its last', () => {
  const samples = [
    { at: 1_000, left: 10 },
    { at: 1_200, left: 9 },
    { at: 1_400, left: 9 },
    { at: 1_700, left: 2 },
    { at: 1_900, left: 2 },
  ]
  expect(workedShare(samples, 1_000, 2_000)).toBe(50)
})

test('progress after the end of the flood does not count', () => {
  const samples = [
    { at: 1_000, left: 3 },
    { at: 1_500, left: 2 },
    { at: 2_500, left: 1 },
  ]
  expect(workedShare(samples, 1_000, 2_000)).toBe(50)
  expect(workedShare(samples.slice(1), 1_000, 2_000)).toBe(0)
})

test('submissions count that were under way in the time span', () => {
  const submissions = [
    { sentAt: 0, ms: 50 },
    { sentAt: 80, ms: 40 },
    { sentAt: 150, ms: 5 },
    { sentAt: 190, ms: 900 },
    { sentAt: 210, ms: 7 },
  ]
  expect(latenciesWithin(submissions, 100, 200)).toEqual([5, 40, 900])
})

test('the largest deviation is relative to the median', () => {
  expect(largestDeviation([100, 100, 88, 105, 100])).toBe(12)
})

test('a section says for each bound whether it was met', () => {
  const bounds = [
    { text: 'fast', isMet: true },
    { text: 'small', isMet: false },
  ]
  expect(formatSection({ title: 'Title', lines: ['text'], bounds })).toBe(
    '### Title\n\ntext\n\n- Met: fast\n- MISSED: small\n',
  )
})

test('a table is aligned', () => {
  expect(
    tableOf([
      ['', 'ms'],
      ['request', '10.5'],
    ]),
  ).toEqual(['|         |   ms |', '| ------- | ---: |', '| request | 10.5 |'])
})
