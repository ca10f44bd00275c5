// Schedules: their ticks where clocks are changed (docs/schedules.md has the same table), and what is
// refused.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry } from '../../src/definitions/registry.ts'
import { completeSchedule, faultsOfSchedule, type Schedule } from '../../src/definitions/schedule.ts'
import {
  faultOfCron,
  jitterMsOf,
  lastTicks,
  nextTick,
  nextTicks,
  type Timing,
} from '../../src/definitions/schedule-times.ts'
import { isTimeZone, localTextOf } from '../../src/definitions/time-zone.ts'
import { defineConfig } from '../../src/project/define-config.ts'

/** Zone, expression, a tick, and the ticks after it, as local times with their UTC offsets. */
const CHANGES: [zone: string, cron: string, tick: string, next: string[]][] = [
  // 02:00 to 03:00 on 29 March 2026; 03:00 to 02:00 on 25 October 2026.
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-03-28T02:30:00+01:00',
    ['2026-03-29T03:00:00+02:00', '2026-03-30T02:30:00+02:00'],
  ],
  [
    'Europe/Berlin',
    '0,15,30,45 2 * * *',
    '2026-03-28T02:45:00+01:00',
    ['2026-03-29T03:00:00+02:00', '2026-03-30T02:00:00+02:00'],
  ],
  [
    'Europe/Berlin',
    '30 2,3 * * *',
    '2026-03-28T03:30:00+01:00',
    ['2026-03-29T03:00:00+02:00', '2026-03-29T03:30:00+02:00'],
  ],
  [
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-03-29T01:30:00+01:00',
    ['2026-03-29T03:00:00+02:00', '2026-03-29T03:30:00+02:00'],
  ],
  [
    'Europe/Berlin',
    '30 2 * * *',
    '2026-10-24T02:30:00+02:00',
    ['2026-10-25T02:30:00+02:00', '2026-10-26T02:30:00+01:00'],
  ],
  [
    'Europe/Berlin',
    '0 3 * * *',
    '2026-10-24T03:00:00+02:00',
    ['2026-10-25T03:00:00+01:00', '2026-10-26T03:00:00+01:00'],
  ],
  [
    'Europe/Berlin',
    '*/30 * * * *',
    '2026-10-25T02:00:00+02:00',
    ['2026-10-25T02:30:00+02:00', '2026-10-25T03:00:00+01:00'],
  ],
  // 02:00 to 03:00 on 8 March 2026; 02:00 to 01:00 on 1 November 2026.
  [
    'America/New_York',
    '30 2 * * *',
    '2026-03-07T02:30:00-05:00',
    ['2026-03-08T03:00:00-04:00', '2026-03-09T02:30:00-04:00'],
  ],
  [
    'America/New_York',
    '30 1 * * *',
    '2026-10-31T01:30:00-04:00',
    ['2026-11-01T01:30:00-04:00', '2026-11-02T01:30:00-05:00'],
  ],
  // 02:00 to 02:30 on 4 October 2026; 02:00 to 01:30 on 5 April 2026.
  [
    'Australia/Lord_Howe',
    '15 2 * * *',
    '2026-10-03T02:15:00+10:30',
    ['2026-10-04T02:30:00+11:00', '2026-10-05T02:15:00+11:00'],
  ],
  [
    'Australia/Lord_Howe',
    '45 1 * * *',
    '2026-04-04T01:45:00+11:00',
    ['2026-04-05T01:45:00+11:00', '2026-04-06T01:45:00+10:30'],
  ],
  [
    'Australia/Lord_Howe',
    '*/15 1-2 * * *',
    '2026-04-05T01:45:00+11:00',
    ['2026-04-05T02:00:00+10:30', '2026-04-05T02:15:00+10:30'],
  ],
  // No changes.
  [
    'Asia/Kolkata',
    '30 2 * * *',
    '2026-03-28T02:30:00+05:30',
    ['2026-03-29T02:30:00+05:30', '2026-03-30T02:30:00+05:30'],
  ],
  // 00:00 to 01:00 on 4 November 2018, 00:00 to 23:00 on 17 February 2019; no changes since then.
  [
    'America/Sao_Paulo',
    '0 0 * * *',
    '2018-11-03T00:00:00-03:00',
    ['2018-11-04T01:00:00-02:00', '2018-11-05T00:00:00-02:00'],
  ],
  [
    'America/Sao_Paulo',
    '30 23 * * *',
    '2019-02-15T23:30:00-02:00',
    ['2019-02-16T23:30:00-02:00', '2019-02-17T23:30:00-03:00'],
  ],
  [
    'America/Sao_Paulo',
    '0 0 * * *',
    '2019-11-02T00:00:00-03:00',
    ['2019-11-03T00:00:00-03:00', '2019-11-04T00:00:00-03:00'],
  ],
  // 03:00 to 02:00 on 15 February 2026, at the beginning of Ramadan; 02:00 to 03:00 on 22 March 2026.
  [
    'Africa/Casablanca',
    '30 2 * * *',
    '2026-02-14T02:30:00+01:00',
    ['2026-02-15T02:30:00+01:00', '2026-02-16T02:30:00+00:00'],
  ],
  [
    'Africa/Casablanca',
    '30 2 * * *',
    '2026-03-21T02:30:00+00:00',
    ['2026-03-22T03:00:00+01:00', '2026-03-23T02:30:00+01:00'],
  ],
  // There was no 30 December 2011.
  [
    'Pacific/Apia',
    '0 12 * * *',
    '2011-12-29T12:00:00-10:00',
    ['2011-12-31T00:00:00+14:00', '2011-12-31T12:00:00+14:00'],
  ],
]

test.each(CHANGES)('%s, "%s" after %s', (timeZone, cron, tick, next) => {
  const ticks = nextTicks({ cron, timeZone }, Date.parse(tick), next.length)
  expect(ticks.map((tickMs) => localTextOf(timeZone, tickMs))).toEqual(next)
  // Also from within the repeated hour, and from one millisecond before a tick.
  for (const [index, text] of next.entries()) {
    expect(nextTick({ cron, timeZone }, Date.parse(text) - 1)).toBe(Date.parse(text))
    if (index > 0)
      expect(nextTick({ cron, timeZone }, Date.parse(next[index - 1] ?? '') + 1)).toBe(Date.parse(text))
  }
})

test('the documentation has the same table', () => {
  const text = readFileSync(new URL('../../docs/schedules.md', import.meta.url), 'utf8')
  const shown = (local: string) => local.slice(0, 16).replace('T', ' ') + local.slice(19)
  for (const [zone, cron, , next] of CHANGES)
    expect(text).toContain(`| ${zone} | \`${cron}\` | ${next.map(shown).join(', ')} |`)
})

test('a time that is repeated is no tick the second time', () => {
  const timing = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
  const second = Date.parse('2026-10-25T02:30:00+01:00')
  for (const afterMs of [second - 1_000, second, second + 1])
    expect(localTextOf('Europe/Berlin', nextTick(timing, afterMs))).toBe('2026-10-26T02:30:00+01:00')
})

describe('the last ticks are those that the search for the next one finds', () => {
  const DAY_MS = 86_400_000
  test.each([
    ...[...new Set(CHANGES.map(([zone]) => zone))].flatMap((timeZone) =>
      ['30 2 * * *', '*/7 * * * *', '15,45 0-3 * * *', '10 20 1 * * SUN'].map((cron) => ({ cron, timeZone })),
    ),
    { everySeconds: 700 },
    { everySeconds: 5_000 },
  ] satisfies Timing[])('%o', (timing) => {
    for (const day of ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01']) {
      const fromMs = Date.parse(day) - DAY_MS + 123
      const untilMs = Date.parse(day) + DAY_MS + 456
      const all: number[] = []
      for (let at = nextTick(timing, fromMs); at <= untilMs; at = nextTick(timing, at)) all.push(at)
      expect(lastTicks(timing, fromMs, untilMs, 1_000)).toEqual(all)
      for (const limit of [1, 3]) expect(lastTicks(timing, fromMs, untilMs, limit)).toEqual(all.slice(-limit))
      const last = all.at(-1)
      if (last !== undefined) {
        expect(lastTicks(timing, last, untilMs, 10)).toEqual([])
        expect(lastTicks(timing, last - 1, last, 10)).toEqual([last])
      }
    }
  })
})

test.each([
  ['0 12 * * MON', '2026-01-05T12:00:00.000Z'],
  ['0 12 * JAN,feb SUN', '2026-01-04T12:00:00.000Z'],
  ['5 0 12 * * *', '2026-01-01T12:00:05.000Z'],
  ['0 12 L * *', '2026-01-31T12:00:00.000Z'],
  ['0 12 * * 5#2', '2026-01-09T12:00:00.000Z'],
  ['0 12 * * 5L', '2026-01-30T12:00:00.000Z'],
  ['0 12 ? * *', '2026-01-01T12:00:00.000Z'],
  ['0 0 29 2 *', '2028-02-29T00:00:00.000Z'],
])('"%s" matches %s', (cron, at) => {
  expect(faultOfCron(cron)).toBeUndefined()
  const tickMs = nextTick({ cron, timeZone: 'UTC' }, Date.parse('2026-01-01T00:00:00Z'))
  expect(new Date(tickMs).toISOString()).toBe(at)
})

test('a rare time has fewer ticks than requested, until the year 3000', () => {
  // 29 February, if it is the fifth Sunday of the month.
  const rare = { cron: '0 0 29 2 +SUN#5', timeZone: 'UTC' }
  const ticks = nextTicks(rare, Date.parse('2026-01-01T00:00:00Z'), 100)
  expect(ticks.slice(0, 2).map((tickMs) => new Date(tickMs).toISOString().slice(0, 10))).toEqual([
    '2032-02-29',
    '2060-02-29',
  ])
  expect(ticks.length).toBeLessThan(100)
  expect(() => nextTick(rare, Date.parse('2999-03-01T00:00:00Z'))).toThrow('No tick follows')
})

test('seconds are counted from 1970, so that the ticks do not depend on the creation', () => {
  const at = (text: string) => Date.parse(text)
  expect(nextTicks({ everySeconds: 900 }, at('2026-01-01T00:07:12.345Z'), 2)).toEqual([
    at('2026-01-01T00:15:00Z'),
    at('2026-01-01T00:30:00Z'),
  ])
})

test('the jitter depends on the name and the tick, and is at most the given one', () => {
  const ticks = Array.from({ length: 200 }, (_, index) => index * 60_000)
  const jitters = ticks.map((tickMs) => jitterMsOf('nightly', tickMs, 10))
  expect(jitters).toEqual(ticks.map((tickMs) => jitterMsOf('nightly', tickMs, 10)))
  expect(new Set(jitters).size).toBeGreaterThan(150)
  expect(Math.min(...jitters)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...jitters)).toBeLessThanOrEqual(10_000)
  expect(jitterMsOf('other', 0, 10)).not.toBe(jitterMsOf('nightly', 0, 10))
  expect(jitterMsOf('nightly', 60_000, 0)).toBe(0)
})

test.each([
  ['30 2 30 2 *', 'matches no date'],
  ['* * * *', 'must have five fields'],
  ['* * * * * * *', 'must have five fields'],
  ['@daily', 'must have five fields'],
  ['', 'must have five fields'],
  ['60 * * * *', 'is not a cron expression'],
  ['* 24 * * *', 'is not a cron expression'],
  ['a b c d e', 'is not a cron expression'],
  ['5-1 * * * *', 'is not a cron expression'],
  ['2026-01-01T00:00:00 * * * *', 'must consist of'],
  ['* * * * \0', 'must consist of'],
  [`${'1,'.repeat(200)}1 * * * *`, 'at most 200'],
])('the expression "%s" is refused: %s', (cron, reason) => {
  expect(faultOfCron(cron)).toContain(reason)
})

test.each<[object, string, string]>([
  [{}, 'cron', 'is missing'],
  [{ cron: '0 0 * * *', everySeconds: 5 }, 'everySeconds', 'must not be used together'],
  [{ cron: 5 }, 'cron', 'must be a text'],
  [{ cron: '0 0 * * *', timeZone: 'Europe/Atlantis' }, 'timeZone', 'must be the name of a time zone'],
  [{ cron: '0 0 * * *', timeZone: '' }, 'timeZone', 'must be the name of a time zone'],
  [{ everySeconds: 5, timeZone: 'UTC' }, 'timeZone', 'must be used together with'],
  [{ everySeconds: 0 }, 'everySeconds', 'must be a whole number from 1'],
  [{ everySeconds: 1.5 }, 'everySeconds', 'must be a whole number from 1'],
  [{ everySeconds: 5, overlap: 'never' }, 'overlap', 'must be one of allow, skip, wait'],
  [{ everySeconds: 5, catchUp: 'some' }, 'catchUp', 'must be one of skip, one, all'],
  [{ everySeconds: 5, catchUp: 'all' }, 'catchUp', 'needs the overlap "allow"'],
  [{ everySeconds: 5, jitterSeconds: -1 }, 'jitterSeconds', 'must be a whole number from 0'],
])('%o is refused', (given, member, detail) => {
  expect(faultsOfSchedule(given)).toEqual([{ member, detail: expect.stringContaining(detail) }])
  expect(() => define({ name: 'nightly', input: { to: 'a' }, ...given })).toThrow(
    new RegExp(`^Schedule "nightly" of task "report": ${member} `),
  )
})

test.each<[Partial<Schedule>, string]>([
  [{ name: 'Nightly' }, 'the name must begin with'],
  [{ name: '' }, 'the name must begin with'],
  [{ name: 'x'.repeat(101) }, 'the name must begin with'],
  [{ input: { to: 7 } }, 'the input is not valid'],
  [{ input: undefined }, 'the input is not valid'],
  [{ crom: '* * * * *' } as never, 'crom is unknown: expected name, cron'],
])('%o is refused when the task is defined', (given, message) => {
  const schedule = { name: 'nightly', everySeconds: 60, input: { to: 'a' }, ...given }
  expect(() => define(schedule as Schedule<{ to: string }>)).toThrow(message)
})

test('the input has the type of the definition', () => {
  // @ts-expect-error `to` is a text
  expect(() => define({ name: 'nightly', everySeconds: 60, input: { to: 7 } })).toThrow('input')
})

test.each([
  ['concurrency', { concurrency: { limit: 1, key: refuse } }],
  ['rateLimit', { rateLimit: { limit: 1, perSeconds: 1, key: refuse } }],
  ['unique', { unique: { until: 'finished', key: refuse } }],
] as const)('an input that the key of %s refuses is refused when the task is defined', (member, given) => {
  const schedule = { name: 'nightly', everySeconds: 60, input: { to: 'a' } }
  expect(() => define(schedule, given)).toThrow(
    `Schedule "nightly" of task "report": the input is not valid: Task "report": ${member}.key has thrown for this input: nobody is called a`,
  )
})

test('names of schedules are unique in the project', () => {
  const hourly = { name: 'a-name.of_1', everySeconds: 3_600, input: { to: 'a' } }
  const message = /two schedules have the name "a-name.of_1", of the tasks "report" and "other"/
  const [report, other] = [define(hourly), { ...define(hourly), name: 'other' }]
  expect(() => createRegistry([report, other])).toThrow(message)
  expect(() => defineConfig({ tasks: [report, other] })).toThrow(message)
  expect(() => createRegistry([{ ...report, schedules: [hourly, hourly] }])).toThrow('two schedules')
  expect(createRegistry([report]).schedules.get('a-name.of_1')).toEqual(completeSchedule('report', hourly))
})

test('a schedule has defaults', () => {
  expect(completeSchedule('report', { name: 'nightly', cron: '0 0 * * *', input: 1 })).toEqual({
    name: 'nightly',
    definition: 'report',
    input: 1,
    cron: '0 0 * * *',
    timeZone: 'UTC',
    everySeconds: null,
    overlap: 'skip',
    catchUp: 'one',
    jitterSeconds: 0,
  })
  expect(completeSchedule('report', { name: 'x', everySeconds: 5, input: 1 })).toMatchObject({
    timeZone: null,
  })
})

test('time zones are those of Node', () => {
  expect(['UTC', 'Europe/Berlin', 'Asia/Kolkata'].map(isTimeZone)).toEqual([true, true, true])
  expect(['', 'Berlin', 'Europe/Berlin\0'].map(isTimeZone)).toEqual([false, false, false])
})

function refuse({ to }: { to: string }): string {
  throw new Error(`nobody is called ${to}`)
}

type Keyed = Pick<TaskDefinition<{ to: string }>, 'concurrency' | 'rateLimit' | 'unique'>

function define(schedule: Schedule<{ to: string }>, keyed: Keyed = {}) {
  return defineTask({
    ...keyed,
    name: 'report',
    title: 'Report',
    description: 'For tests.',
    input: z.object({ to: z.string() }),
    output: z.null(),
    example: { to: 'a' },
    schedules: [schedule],
    run: async () => null,
  })
}
