// The amount of work of each measurement, and the types that all measurements share.
import type { Store, Stores } from '../stores.ts'

/**
 * Amounts of one run. If a measurement compares variants, each of its `rounds` measures all variants once.
 */
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

/** Small amounts. They show only that the measurements work. */
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
  /** Returns the store with `sizes.finishedTasks` finished tasks. Creates it at the first call. */
  openLarge(): Promise<Store>
  signal: AbortSignal
  log(line: string): void
}

/** A limit for a figure, and whether the figure is within it. */
export interface Bound {
  /** The measured figure and the limit, as a sentence for the report. */
  text: string
  isMet: boolean
}

/** Result of a measurement: one section of the report. */
export interface Section {
  title: string
  /** Lines of Markdown. */
  lines: string[]
  bounds: Bound[]
}

export type Measurement = (context: Context) => Promise<Section>
