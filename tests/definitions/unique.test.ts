// The member `unique` of a definition: its faults, and the decisions that follow from it.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { debouncedStartMs, isMet } from '../../src/definitions/unique.ts'

describe('a fault is an error that names the definition', () => {
  test.each<[unknown, string]>([
    [null, "unique must be an object, for example { until: 'finished' }"],
    ['finished', "unique must be an object, for example { until: 'finished' }"],
    [{}, 'unique.until must be "started", "finished" or { seconds: 60 }, not undefined'],
    [{ until: 'ended' }, 'unique.until must be "started", "finished" or { seconds: 60 }, not "ended"'],
    [{ until: null }, 'unique.until must be "started", "finished" or { seconds: 60 }, not null'],
    [{ until: { minutes: 1 } }, 'unique.until.minutes is unknown: expected seconds'],
    [{ until: {} }, 'unique.until.seconds must be a number from 0.1 to 2678400, not undefined'],
    [{ until: { seconds: 0 } }, 'unique.until.seconds must be a number from 0.1 to 2678400, not 0'],
    [{ until: { seconds: 3e6 } }, 'unique.until.seconds must be a number from 0.1 to 2678400, not 3000000'],
    [
      { until: 'started', by: 'customer' },
      'unique.by is unknown: expected key, until, onConflict, delaySeconds, maxDelaySeconds',
    ],
    [{ until: 'started', key: 'customer' }, 'unique.key must be a function'],
    [
      { until: 'started', onConflict: 'reject' },
      'unique.onConflict must be "existing", "replace", "debounce", not "reject"',
    ],
    [{ until: 'started', onConflict: 'debounce' }, 'unique.onConflict "debounce" needs unique.delaySeconds'],
    [
      { until: 'started', onConflict: 'debounce', delaySeconds: '5' },
      'unique.delaySeconds must be a number from 0.1 to 2678400, not "5"',
    ],
    [
      { until: 'started', onConflict: 'debounce', delaySeconds: 5, maxDelaySeconds: 4 },
      'unique.maxDelaySeconds must be at least unique.delaySeconds, which is 5, not 4',
    ],
    [
      { until: 'started', delaySeconds: 5 },
      'unique.delaySeconds needs unique.onConflict "debounce", not "existing"',
    ],
    [
      { until: 'started', onConflict: 'replace', maxDelaySeconds: 5 },
      'unique.maxDelaySeconds needs unique.onConflict "debounce", not "replace"',
    ],
  ])('%j', (unique, message) => {
    expect(() => defineWith(unique)).toThrow(new Error(`Task "unique_task": ${message}`))
  })

  test.each([
    { until: 'started' },
    { until: 'finished', onConflict: 'replace', key: () => 'a' },
    { until: { seconds: 0.1 }, onConflict: 'existing' },
    { until: 'started', onConflict: 'debounce', delaySeconds: 5, maxDelaySeconds: 5 },
  ])('%j has none', (unique) => {
    expect(defineWith(unique).unique).toEqual(unique)
  })

  function defineWith(unique: unknown) {
    return defineTask({
      name: 'unique_task',
      title: 'Unique',
      description: 'Does nothing.',
      input: z.object({}),
      output: z.object({}),
      example: {},
      unique: unique as never,
      run: async () => ({}),
    })
  }
})

test.each([
  ['PENDING', 0, true, true],
  ['PENDING', 1, false, true],
  ['STARTED', 1, false, true],
  ['RETRY', 1, false, true],
  ['SUCCESS', 1, false, false],
  ['FAILURE', 1, false, false],
  ['CANCELLED', 0, false, false],
] as const)(
  'a %s task with attempt %i is met until started: %s, until finished: %s',
  (status, attempt, started, finished) => {
    const task = { status, attempt, firstAtMs: 1_000 }
    expect(isMet('started', task, 5_000)).toBe(started)
    expect(isMet('finished', task, 5_000)).toBe(finished)
    expect(isMet({ seconds: 5 }, task, 5_999)).toBe(true)
    expect(isMet({ seconds: 5 }, task, 6_000)).toBe(false)
  },
)

test.each([
  ['delays by delayMs', { delayMs: 10 }, { startMs: 0, firstAtMs: 100, nowMs: 105 }, 115],
  ['ends at the maximum', { delayMs: 10, maxDelayMs: 12 }, { startMs: 0, firstAtMs: 100, nowMs: 105 }, 112],
  ['never moves back', { delayMs: 10, maxDelayMs: 12 }, { startMs: 200, firstAtMs: 100, nowMs: 150 }, 200],
  ['does nothing without a delay', {}, { startMs: 7, firstAtMs: 100, nowMs: 150 }, 7],
])('the start of a debounced task %s', (_, delays, times, startMs) => {
  expect(debouncedStartMs(delays, times)).toBe(startMs)
})
