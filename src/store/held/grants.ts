// Decides how many tasks of each group may start now. Pure: the caller reads the groups, the limits and their use,
// and holds the locks that keep others from starting tasks under the same limits.
import type { LimitScope } from './schema.ts'

/** A group with tasks that may be due. */
export interface WaitingGroup {
  id: number
  name: string
  /** Index in `PRIORITIES`; 0 is the highest. */
  priority: number
  concurrencyKey: string
  rateKey: string
  /** Number of due tasks that wait, at most one more than the number of slots. */
  due: number
  /** When the next task of the group is due that is not due yet, in ms since 1970; null if there is none. */
  nextDueMs: number | null
}

/** The limits of a definition or queue. */
export interface StoredLimits {
  scope: LimitScope
  name: string
  concurrency: number | null
  rateLimit: number | null
  ratePerMs: number | null
}

/** Attempts that have started within the span of a rate limit. */
export interface StartsInSpan {
  scope: LimitScope
  name: string
  key: string
  count: number
  /** Time of the oldest of them, in ms since 1970. */
  oldestMs: number
}

export interface Usage {
  nowMs: number
  limits: StoredLimits[]
  /** Running tasks of limited definitions, by concurrency key. */
  running: { name: string; key: string; count: number }[]
  /** Running held tasks of the queue. */
  runningInQueue: number
  starts: StartsInSpan[]
}

/**
 * When a group has its next turn: `last`, after the groups that wait now; a time in ms since 1970; `freed`, when an
 * attempt with its concurrency key ends; `never`, when no task of it waits; null if its turn does not change.
 */
export type Turn = 'last' | 'freed' | 'never' | number | null

export interface Grants {
  /** In the order of the groups. */
  groups: { id: number; count: number; turn: Turn }[]
  /** Starts to add to the use of rate limits. */
  starts: { scope: LimitScope; name: string; key: string; count: number; perMs: number }[]
  /** Highest priority of the groups that could start more tasks with more slots; null if there is none. */
  waitingPriority: number | null
  /** When a rate limit of a whole definition or queue allows the next start; null if none is in the way. */
  retryAtMs: number | null
}

// Of ten starts, one goes to the tasks of normal priority and one to those of low priority, if such tasks wait.
const STARTS_PER_ROUND = 10
const START_OF_NORMAL = 4
const START_OF_LOW = 9

/** Returns the priority, as index in `PRIORITIES`, that comes first at the start with this number. */
export function firstPriorityAt(startNumber: number): number {
  const place = startNumber % STARTS_PER_ROUND
  return place === START_OF_LOW ? 2 : place === START_OF_NORMAL ? 1 : 0
}

/** A limit, and how many starts it still allows. */
interface Pool {
  left: number
  /** Whether the limit applies to a key of the group. Otherwise it applies to the definition or the queue. */
  isKeyed: boolean
  /** For a rate limit that allows no start: when it allows the next one, in ms since 1970. */
  retryAtMs: number | null
  rate?: { scope: LimitScope; name: string; key: string; perMs: number; count: number }
}

/**
 * Grants up to `slots` starts. Groups of one priority take turns in the given order, one task each; higher
 * priorities come first, except for the starts that `firstPriorityAt` reserves.
 * @param startNumber number of the first of these starts
 */
export function grantStarts(
  groups: WaitingGroup[],
  usage: Usage,
  slots: number,
  startNumber: number,
): Grants {
  const poolsByKey = new Map<string, Pool>()
  const runningByKey = new Map(usage.running.map(({ name, key, count }) => [keyOf(name, key), count]))
  const waiting = groups.map((group) => ({ group, count: 0, pools: poolsOf(group) }))
  const byPriority = [0, 1, 2].map((priority) => waiting.filter(({ group }) => group.priority === priority))
  for (let granted = 0; granted < slots; granted++) {
    const first = firstPriorityAt(startNumber + granted)
    // Without a task of that priority, the highest one that has tasks comes first.
    const chosen = [first, 0, 1, 2].map(nextOf).find((found) => found !== undefined)
    if (!chosen) break
    chosen.count++
    for (const pool of chosen.pools) {
      pool.left--
      if (pool.rate) pool.rate.count++
    }
  }
  return {
    groups: waiting.map(({ group, count, pools }) => ({
      id: group.id,
      count,
      turn: turnOf(group, count, pools),
    })),
    starts: [...poolsByKey.values()].flatMap(({ rate }) => (rate && rate.count > 0 ? [rate] : [])),
    waitingPriority: highest(
      waiting.filter(({ group, count, pools }) => count < group.due && pools.every(({ left }) => left > 0)),
    ),
    retryAtMs: earliest([...poolsByKey.values()].filter((pool) => !pool.isKeyed && pool.left <= 0)),
  }

  /** Returns the next group of a priority that may start a task, and moves it behind the others. */
  function nextOf(priority: number) {
    const queue = byPriority[priority] ?? []
    const index = queue.findIndex(
      ({ group, count, pools }) => count < group.due && pools.every(({ left }) => left > 0),
    )
    const [next] = index < 0 ? [] : queue.splice(index, 1)
    if (next) queue.push(next)
    return next
  }

  function poolsOf({ name, concurrencyKey, rateKey }: WaitingGroup): Pool[] {
    return usage.limits
      .flatMap((limits) => {
        if (limits.scope === 'queue') return [concurrencyPool(limits, ''), ratePool(limits, '')]
        return limits.name === name
          ? [concurrencyPool(limits, concurrencyKey), ratePool(limits, rateKey)]
          : []
      })
      .filter((pool) => pool !== null)
  }

  function concurrencyPool({ scope, name, concurrency }: StoredLimits, key: string): Pool | null {
    if (concurrency === null) return null
    return poolOf(keyOf('concurrency', scope, name, key), () => {
      const running = scope === 'queue' ? usage.runningInQueue : (runningByKey.get(keyOf(name, key)) ?? 0)
      return { left: concurrency - running, isKeyed: key !== '', retryAtMs: null }
    })
  }

  function ratePool({ scope, name, rateLimit, ratePerMs }: StoredLimits, key: string): Pool | null {
    if (rateLimit === null || ratePerMs === null) return null
    return poolOf(keyOf('rate', scope, name, key), () => {
      const starts = usage.starts.find((one) => one.scope === scope && one.name === name && one.key === key)
      return {
        left: rateLimit - (starts?.count ?? 0),
        isKeyed: key !== '',
        retryAtMs: (starts?.oldestMs ?? usage.nowMs) + ratePerMs,
        rate: { scope, name, key, perMs: ratePerMs, count: 0 },
      }
    })
  }

  function poolOf(key: string, create: () => Pool): Pool {
    const known = poolsByKey.get(key)
    if (known) return known
    const pool = create()
    poolsByKey.set(key, pool)
    return pool
  }
}

function keyOf(...parts: string[]): string {
  return JSON.stringify(parts)
}

function turnOf({ due, nextDueMs }: WaitingGroup, count: number, pools: Pool[]): Turn {
  if (count === due) return nextDueMs ?? 'never'
  const full = pools.filter(({ isKeyed, left }) => isKeyed && left <= 0)
  if (full.some(({ retryAtMs }) => retryAtMs === null)) return 'freed'
  return full.length > 0
    ? Math.max(...full.map(({ retryAtMs }) => retryAtMs as number))
    : count > 0
      ? 'last'
      : null
}

function highest(waiting: { group: WaitingGroup }[]): number | null {
  return waiting.length > 0 ? Math.min(...waiting.map(({ group }) => group.priority)) : null
}

function earliest(pools: Pool[]): number | null {
  const times = pools.flatMap(({ retryAtMs }) => (retryAtMs === null ? [] : [retryAtMs]))
  return times.length > 0 ? Math.min(...times) : null
}
