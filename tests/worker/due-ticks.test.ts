// Which ticks of a due schedule make a task.
import { expect, test } from 'vitest'
import type { DueSchedule } from '../../src/store/due-schedules.ts'
import { decideTicks } from '../../src/worker/loops/due-ticks.ts'

const NOW = Date.parse('2026-05-04T12:00:00Z')
const at = (seconds: number) => NOW + seconds * 1_000

function decide(schedule: Partial<DueSchedule>, nowMs = NOW) {
  return decideTicks(
    {
      name: 'nightly',
      definition: 'report',
      input: {},
      cron: null,
      timeZone: null,
      everySeconds: 30,
      overlap: 'skip',
      catchUp: 'one',
      jitterSeconds: 0,
      version: 1,
      nextMs: NOW,
      waitingMs: null,
      isBlocked: false,
      ...schedule,
    },
    nowMs,
  )
}

test('a due tick makes a task, and the next tick is after now', () => {
  expect(decide({}, NOW + 5)).toEqual({ ticks: [NOW], waitingMs: null, skipped: 0, nextMs: at(30) })
})

test('ticks that are at most a minute late are not missed', () => {
  const ticks = [at(-60), at(-30), NOW]
  expect(decide({ nextMs: at(-60), overlap: 'allow', catchUp: 'skip' })).toMatchObject({ ticks, skipped: 0 })
  // Without overlaps only the last of them makes a task.
  expect(decide({ nextMs: at(-60) })).toMatchObject({ ticks: [NOW], skipped: 2 })
})

test('missed ticks make no task, one, or one each', () => {
  const outage = { nextMs: at(-150), overlap: 'allow' } as const
  expect(decide({ ...outage, catchUp: 'skip' })).toMatchObject({ ticks: [at(-60), at(-30), NOW], skipped: 3 })
  expect(decide({ ...outage, catchUp: 'one' })).toMatchObject({
    ticks: [at(-90), at(-60), at(-30), NOW],
    skipped: 2,
  })
  const all = [at(-150), at(-120), at(-90), at(-60), at(-30), NOW]
  expect(decide({ ...outage, catchUp: 'all' })).toMatchObject({ ticks: all, skipped: 0 })
})

test('a missed tick of long ago is made up for once, or not at all', () => {
  const daily = { cron: '0 3 * * *', timeZone: 'UTC', everySeconds: null, nextMs: NOW - 30 * 3_600_000 }
  const last = Date.parse('2026-05-04T03:00:00Z')
  const nextMs = last + 24 * 3_600_000
  expect(decide(daily)).toMatchObject({ ticks: [last], nextMs })
  expect(decide({ ...daily, catchUp: 'skip' })).toMatchObject({ ticks: [], nextMs })
})

test('at most the last 100 ticks are made up for', () => {
  const { ticks } = decide({ nextMs: at(-30_000), overlap: 'allow', catchUp: 'all' })
  expect(ticks).toHaveLength(100)
  expect([ticks[0], ticks.at(-1)]).toEqual([at(-30 * 99), NOW])
})

test('while the last task has not ended, a tick is skipped, allowed, or waits', () => {
  const blocked = { isBlocked: true }
  expect(decide({ ...blocked, overlap: 'skip' })).toMatchObject({ ticks: [], waitingMs: null, skipped: 1 })
  expect(decide({ ...blocked, overlap: 'allow' })).toMatchObject({
    ticks: [NOW],
    waitingMs: null,
    skipped: 0,
  })
  expect(decide({ ...blocked, overlap: 'wait' })).toMatchObject({ ticks: [], waitingMs: NOW, skipped: 0 })
})

test('further ticks are merged into the one that waits', () => {
  const waiting = { overlap: 'wait', waitingMs: at(-90) } as const
  expect(decide({ ...waiting, isBlocked: true })).toMatchObject({ ticks: [], waitingMs: at(-90), skipped: 1 })
  expect(decide({ ...waiting })).toMatchObject({ ticks: [at(-90)], waitingMs: null, skipped: 1 })
  expect(decide({ ...waiting, nextMs: at(10) })).toEqual({
    ticks: [at(-90)],
    waitingMs: null,
    skipped: 0,
    nextMs: at(10),
  })
})

test('the stored tick is kept even if the rules of its time zone have changed', () => {
  const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', everySeconds: null }
  const nextMs = Date.parse('2026-05-04T02:30:00Z')
  expect(decide({ ...berlin, nextMs }, nextMs + 10)).toEqual({
    ticks: [nextMs],
    waitingMs: null,
    skipped: 0,
    nextMs: Date.parse('2026-05-05T00:30:00Z'),
  })
})
