// The amount of work of each measurement of limits.
import { fileURLToPath } from 'node:url'
import type { Section } from '../ledger/plan.ts'
import type { Stores } from '../stores.ts'

export interface Amounts {
  keys: { tasks: number; keys: number }
  fairness: { waitingTasks: number; singleKeys: number }
  rate: { seconds: number }
  serial: { seconds: number }
}

export const FULL: Amounts = {
  keys: { tasks: 100_000, keys: 10_000 },
  fairness: { waitingTasks: 100_000, singleKeys: 1_000 },
  rate: { seconds: 60 },
  serial: { seconds: 10 },
}

/** Small amounts. They show only that the measurements work. */
export const QUICK: Amounts = {
  keys: { tasks: 3_000, keys: 300 },
  fairness: { waitingTasks: 3_000, singleKeys: 200 },
  rate: { seconds: 5 },
  serial: { seconds: 2 },
}

export interface Context {
  amounts: Amounts
  stores: Stores
  signal: AbortSignal
  log(line: string): void
}

export type Measurement = (context: Context) => Promise<Section>

/** Environment variables of the processes: they load the definitions of this bench. */
export const SETTINGS = { WAGGLE_CONFIG: fileURLToPath(new URL('./waggle.config.ts', import.meta.url)) }

/** Number per second, for a table. */
export const rounded = (value: number) => Math.round(value).toLocaleString('en')
