// The decision which held tasks start: limits, turns of groups, priorities.
import { describe, expect, test } from 'vitest'
import { firstPriorityAt, grantStarts, type Usage, type WaitingGroup } from '../../src/store/held/grants.ts'

const NOW_MS = 1_000_000
const NOTHING_USED: Usage = { nowMs: NOW_MS, limits: [], running: [], runningInQueue: 0, starts: [] }
// At this start number the next starts go to the highest priority.
const START = 0

let ids = 0
function group(values: Partial<WaitingGroup> = {}): WaitingGroup {
  const id = ++ids
  return {
    id,
    name: 'call',
    priority: 1,
    concurrencyKey: '',
    rateKey: '',
    due: 1,
    nextDueMs: null,
    ...values,
  }
}

const concurrency = (limit: number) => ({
  scope: 'definition' as const,
  name: 'call',
  concurrency: limit,
  rateLimit: null,
  ratePerMs: null,
})
const rate = (limit: number, perMs = 1_000) => ({
  scope: 'definition' as const,
  name: 'call',
  concurrency: null,
  rateLimit: limit,
  ratePerMs: perMs,
})
const counts = (groups: WaitingGroup[], usage: Partial<Usage>, slots: number, startNumber = START) =>
  grantStarts(groups, { ...NOTHING_USED, ...usage }, slots, startNumber).groups.map(({ count }) => count)
const turns = (groups: WaitingGroup[], usage: Partial<Usage>, slots: number) =>
  grantStarts(groups, { ...NOTHING_USED, ...usage }, slots, START).groups.map(({ turn }) => turn)

describe('concurrency', () => {
  test('starts as many tasks of a key as its running tasks leave', () => {
    const groups = [group({ concurrencyKey: 'a', due: 9 }), group({ concurrencyKey: 'b', due: 9 })]
    const running = [{ name: 'call', key: 'a', count: 2 }]
    expect(counts(groups, { limits: [concurrency(3)], running }, 20)).toEqual([1, 3])
    expect(turns(groups, { limits: [concurrency(3)], running }, 20)).toEqual(['freed', 'freed'])
  })

  test('a limit without keys applies to all groups of the definition, which keep their turn', () => {
    const groups = [group({ rateKey: 'a', due: 9 }), group({ rateKey: 'b', due: 9 })]
    const running = [{ name: 'call', key: '', count: 1 }]
    expect(counts(groups, { limits: [concurrency(3)], running }, 20)).toEqual([1, 1])
    expect(turns(groups, { limits: [concurrency(1)], running }, 20)).toEqual([null, null])
  })

  test('a limit that was lowered below what runs starts nothing', () => {
    const running = [{ name: 'call', key: '', count: 5 }]
    expect(counts([group({ due: 9 })], { limits: [concurrency(2)], running }, 20)).toEqual([0])
  })

  test('the limit of a queue applies to all definitions in it', () => {
    const limits = [{ ...concurrency(3), scope: 'queue' as const, name: 'default' }]
    const groups = [group({ name: 'call', due: 9 }), group({ name: 'other', due: 9 })]
    expect(counts(groups, { limits, runningInQueue: 1 }, 20)).toEqual([1, 1])
  })
})

describe('rates', () => {
  test('starts as many tasks as the span still allows, and says when the next one may start', () => {
    const starts = [{ scope: 'definition' as const, name: 'call', key: '', count: 3, oldestMs: NOW_MS - 600 }]
    const grants = grantStarts([group({ due: 9 })], { ...NOTHING_USED, limits: [rate(5)], starts }, 20, START)
    expect(grants.groups[0]?.count).toBe(2)
    expect(grants.starts).toEqual([{ scope: 'definition', name: 'call', key: '', perMs: 1_000, count: 2 }])
    expect(grants.retryAtMs).toBe(NOW_MS + 400)
  })

  test('a group whose key has used its rate has its next turn when the key may start again', () => {
    const starts = [
      { scope: 'definition' as const, name: 'call', key: 'a', count: 1, oldestMs: NOW_MS - 250 },
    ]
    const groups = [group({ rateKey: 'a', due: 2 }), group({ rateKey: 'b', due: 2 })]
    const grants = grantStarts(groups, { ...NOTHING_USED, limits: [rate(1)], starts }, 20, START)
    expect(grants.groups.map(({ turn }) => turn)).toEqual([NOW_MS + 750, NOW_MS + 1_000])
    expect(grants.retryAtMs).toBeNull()
  })
})

describe('turns', () => {
  test('groups take turns, so that a group with many tasks does not delay one with a single task', () => {
    const groups = [group({ due: 100 }), group({ due: 1 }), group({ due: 2 })]
    expect(counts(groups, {}, 3)).toEqual([1, 1, 1])
    expect(counts(groups, {}, 10)).toEqual([7, 1, 2])
  })

  test('a group with further due tasks goes behind the others; one without waits for its next task', () => {
    const groups = [group({ due: 5 }), group({ due: 1, nextDueMs: NOW_MS + 5 }), group({ due: 1 })]
    expect(turns(groups, {}, 4)).toEqual(['last', NOW_MS + 5, 'never'])
  })

  test('a group that no slot was left for keeps its turn', () => {
    expect(turns([group(), group()], {}, 1)).toEqual(['never', null])
  })
})

describe('priorities', () => {
  test('higher ones come first, but one start in ten goes to each lower one', () => {
    const groups = [
      group({ priority: 0, due: 100 }),
      group({ priority: 1, due: 100 }),
      group({ priority: 2, due: 100 }),
    ]
    expect(counts(groups, {}, 10)).toEqual([8, 1, 1])
    expect(counts(groups.slice(1), {}, 10)).toEqual([9, 1])
  })

  test('a reserved start without such a task goes to the highest priority', () => {
    expect(counts([group({ priority: 0, due: 100 })], {}, 10)).toEqual([10])
  })

  test('a lower priority gets its start also if each claim has one slot', () => {
    const starts = Array.from({ length: 10 }, (_, number) => firstPriorityAt(number))
    expect(starts.filter((priority) => priority === 1)).toHaveLength(1)
    expect(starts.filter((priority) => priority === 2)).toHaveLength(1)
  })
})
