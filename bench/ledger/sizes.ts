// Measures the same flood on an empty database, on one with many finished tasks, and on one with many waiting
// tasks.
import { median } from '../statistics.ts'
import type { Store } from '../stores.ts'
import { tableOf } from '../table.ts'
import { percentages, withRange } from './figures.ts'
import { startWaggle, warmFlood, withClient } from './flood.ts'
import type { Bound, Context, Section } from './plan.ts'
import { createLedger, seedWaiting } from './seed.ts'

interface Variant {
  title: string
  /** The store with the tasks of this variant. If it is undefined, each round uses a new, empty store. */
  store?: Store
  /** Tasks per second of each round. */
  rates: number[]
}

const DAY_MS = 86_400_000

export async function measureSizes(context: Context): Promise<Section> {
  const { rounds, finishedTasks, partitions, waitingTasks } = context.amounts.sizes
  const large = await context.openLarge()
  const waiting = await context.stores.open('waiting')
  try {
    await (await createLedger(waiting, partitions)).close()
    await seedWaiting(waiting, { queue: 'default', tasks: waitingTasks, delayMs: DAY_MS }, context.log)
    const variants: Variant[] = [
      { title: 'empty', rates: [] },
      { title: `${finishedTasks} finished tasks`, store: large, rates: [] },
      { title: `${waitingTasks} waiting tasks`, store: waiting, rates: [] },
    ]
    for (let round = 1; round <= rounds; round++) {
      for (const variant of round % 2 === 1 ? variants : variants.toReversed()) {
        context.signal.throwIfAborted()
        context.log(`Round ${round} of ${rounds}: ${variant.title}`)
        variant.rates.push(await measureRate(context, variant.store))
      }
    }
    return sectionOf(context, variants)
  } finally {
    await waiting.close()
  }
}

async function measureRate(context: Context, kept: Store | undefined): Promise<number> {
  const store = kept ?? (await context.stores.open('empty'))
  try {
    if (!kept) await (await createLedger(store, context.amounts.sizes.partitions)).close()
    return await withClient(store, async (client) => {
      await client.query('checkpoint')
      const running = await startWaggle(store, {}, context.signal)
      try {
        return (await warmFlood(context, running, client)).tasksPerSecond
      } finally {
        await running.stop()
      }
    })
  } finally {
    if (!kept) await store.close()
  }
}

function sectionOf({ amounts }: Context, variants: Variant[]): Section {
  const { rounds, partitions } = amounts.sizes
  const base = variants[0]?.rates ?? []
  const bounds = variants.slice(1).map(({ title, rates }): Bound => {
    const ratio = median(percentages(rates, base))
    return {
      text: `with ${title}, ${ratio.toFixed(1)} % of the tasks/s on an empty ledger (at least 90 %)`,
      isMet: ratio >= 90,
    }
  })
  const rows = variants.map(({ title, rates }) => [
    title,
    withRange(rates),
    withRange(percentages(rates, base), 1),
  ])
  return {
    title: 'A flood on ledgers of different sizes',
    lines: [
      `${rounds} rounds by turns, median and range; ${amounts.floodTasks} tasks over 64 connections; ` +
        `${partitions} daily partitions, waiting tasks are delayed by a day`,
      '',
      ...tableOf([['', 'end-to-end tasks/s', '% of empty'], ...rows]),
    ],
    bounds,
  }
}
