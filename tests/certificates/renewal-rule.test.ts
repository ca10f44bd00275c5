// When a certificate is renewed, and how long a failed renewal waits.
import { expect, test } from 'vitest'
import { dueInMs, isDue, isOverdue, lifetimeLeft, retryDelayMs } from '../../src/certificates/renewal-rule.ts'

const DAY_MS = 24 * 60 * 60_000
const SERVER = 'https://acme.example/directory'
const at = (day: number) => new Date(Date.UTC(2026, 0, 1) + day * DAY_MS)
const certificate = { validFrom: at(0), validTo: at(90), directoryUrl: SERVER }

test.each([
  [0, 1, false, false],
  [59, 31 / 90, false, false],
  [61, 29 / 90, true, false],
  [71, 19 / 90, true, false],
  [73, 17 / 90, true, true],
  [90, 0, true, true],
  [99, -0.1, true, true],
])('on day %i of 90, %d of the lifetime is left, due: %s, overdue: %s', (day, left, due, overdue) => {
  expect(lifetimeLeft(certificate, at(day))).toBeCloseTo(left)
  expect(isDue(certificate, SERVER, at(day))).toBe(due)
  expect(dueInMs(certificate, at(day)) <= 0).toBe(due)
  expect(isOverdue(certificate, at(day))).toBe(overdue)
})

test('a certificate for six days is due with two days left', () => {
  const short = { ...certificate, validTo: at(6) }
  expect(dueInMs(short, at(0))).toBe(4 * DAY_MS)
})

test('a missing certificate and one of another ACME server are due', () => {
  expect(isDue(undefined, SERVER, at(0))).toBe(true)
  expect(isDue(certificate, 'https://staging.example/directory', at(0))).toBe(true)
})

test('retries wait 2 minutes, then twice as long each time, and at most 6 hours', () => {
  expect([1, 2, 3, 4, 8, 9, 1_000].map((failures) => retryDelayMs(failures) / 60_000)).toEqual([
    2, 4, 8, 16, 256, 360, 360,
  ])
})

test('retries stay within five failed validations per hour, the limit of Let’s Encrypt', () => {
  const starts = [0]
  while ((starts.at(-1) ?? 0) < 60 * 60_000) starts.push((starts.at(-1) ?? 0) + retryDelayMs(starts.length))
  expect(starts.filter((ms) => ms < 60 * 60_000)).toHaveLength(5)
})
