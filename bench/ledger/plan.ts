// How much each measurement does, and what all measurements share.
import type { Store, Stores } from '../stores.ts'

/** Amounts of one run. `rounds` of a measurement that compares variants are rounds of all of them by turns. */
export interface Amounts {
  warmUpTasks: number
  floodTasks: number
  retention: { rounds: number; partitions: number; tasksPerPartition: number; rowByRowTasks: number }
  sizes: { rounds: number; finishedTasks: number; partitions: number; waitingTasks: number }
  drop: { rounds: number; tasks: number; floodMs: number }
  recovery: { waitingTasks: number; runningTasks: number }
  dashboard: { waitingTasks: number; samples: number }
  bytes: { tasks: number }
  steady: { spans: number; spanMs: number }
}

export const FULL: Amounts = {
  warmUpTasks: 10_000,
  floodTasks: 40_000,
  retention: { rounds: 6, partitions: 10, tasksPerPartition: 200_000, rowByRowTasks: 200_000 },
  sizes: { rounds: 4, finishedTasks: 20_000_000, partitions: 30, waitingTasks: 2_000_000 },
  drop: { rounds: 3, tasks: 5_000_000, floodMs: 12_000 },
  recovery: { waitingTasks: 10_000_000, runningTasks: 100 },
  dashboard: { waitingTasks: 100_000, samples: 200 },
  bytes: { tasks: 100_000 },
  steady: { spans: 10, spanMs: 60_000 },
}

/** Small amounts that only show that everything works. */
export const QUICK: Amounts = {
  warmUpTasks: 500,
  floodTasks: 5_000,
  retention: { rounds: 1, partitions: 3, tasksPerPartition: 5_000, rowByRowTasks: 5_000 },
  sizes: { rounds: 1, finishedTasks: 30_000, partitions: 30, waitingTasks: 5_000 },
  drop: { rounds: 1, tasks: 20_000, floodMs: 6_000 },
  recovery: { waitingTasks: 20_000, runningTasks: 100 },
  dashboard: { waitingTasks: 2_000, samples: 5 },
  bytes: { tasks: 10_000 },
  steady: { spans: 5, spanMs: 3_000 },
}

export interface Context {
  amounts: Amounts
  stores: Stores
  /** Returns the store with `sizes.finishedTasks` finished tasks, and creates it at the first call. */
  openLarge(): Promise<Store>
  signal: AbortSignal
  log(line: string): void
}

/** A bound, and whether the figures are within it. */
export interface Bound {
  text: string
  isMet: boolean
}

/** What a measurement has found out. */
export interface Section {
  title: string
  /** Lines of Markdown. */
  lines: string[]
  bounds: Bound[]
}

export type Measurement = (context: Context) => Promise<Section>
