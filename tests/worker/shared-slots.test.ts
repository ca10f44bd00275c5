// Plain and held tasks share the slots of a worker.
import { describe, expect, test } from 'vitest'
import { createSlots } from '../../src/worker/attempts/slots.ts'

/** Starts tasks while both kinds always want slots; each start takes the next slot that is freed. */
function startsOf(priority: 'high' | 'normal' | 'low', count: number) {
  const slots = createSlots(4)
  slots.setHeldWaiting(priority)
  const starts = { plain: slots.reserve(4), held: 0 }
  while (starts.plain + starts.held < count) {
    // Plain tasks ask first, as they do when a slot is freed while the query for held tasks is under way.
    const plain = slots.reserve(1)
    const held = plain === 0 ? slots.reserveHeld(1) : 0
    starts.plain += plain
    starts.held += held
    slots.release(1)
  }
  return starts
}

describe('while plain and held tasks wait', () => {
  test.each([
    ['high', 0.9],
    ['normal', 0.5],
    ['low', 0.1],
  ] as const)('held tasks of %s priority get their share', (priority, share) => {
    const { plain, held } = startsOf(priority, 1_000)
    expect(held / (plain + held)).toBeCloseTo(share, 1)
  })
})

test('without waiting held tasks, plain tasks get all slots', () => {
  const slots = createSlots(4)
  expect(slots.reserve(9)).toBe(4)
  slots.setHeldWaiting('high')
  slots.setHeldWaiting(null)
  slots.release(4)
  expect(slots.available).toBe(4)
})

test('a slot that plain tasks owe wakes held tasks only', async () => {
  const slots = createSlots(1)
  expect(slots.reserve(1)).toBe(1)
  slots.setHeldWaiting('high')
  const woken: string[] = []
  void slots.whenAvailable().then(() => woken.push('plain'))
  void slots.whenHeldAvailable().then(() => woken.push('held'))
  slots.release(1)
  await Promise.resolve()
  expect(woken).toEqual(['held'])
  expect([slots.available, slots.reserve(1), slots.reserveHeld(1)]).toEqual([0, 0, 1])
  slots.setHeldWaiting(null)
  slots.release(1)
  await Promise.resolve()
  expect(woken).toEqual(['held', 'plain'])
})

test('held tasks that nothing keeps back leave no slot unused', () => {
  const slots = createSlots(4)
  slots.setHeldWaiting('normal')
  expect(slots.reserveHeld(4)).toBe(4)
  slots.release(4)
  expect(slots.available).toBe(4)
})
