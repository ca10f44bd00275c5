// The second part of `npm run bench:isolated`: one API and one worker process against two of each, by turns.
import { measure, tasksPerSecond } from '../measure.ts'
import { median } from '../statistics.ts'
import { startStores } from '../stores.ts'
import { SYSTEMS, type System } from '../systems.ts'

const ROUNDS = 3
const PLAN = { rounds: 1, warmUpTasks: 2_000, floodTasks: 20_000, idleTasks: 20 }

await main()

async function main() {
  const waggle = SYSTEMS.find(({ name }) => name === 'waggle') as System
  const variants = [1, 2].map((count) => ({
    ...waggle,
    name: `waggle_${count}`,
    settings: { API_PROCESSES: String(count), WORKER_PROCESSES: String(count) },
  }))
  const figures = new Map<string, number[]>(variants.map(({ name }) => [name, []]))
  const stores = await startStores()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
        const store = await stores.open(variant.name)
        const { figures: measured } = await measure(variant, store, PLAN, new AbortController().signal)
        figures.get(variant.name)?.push(measured.get(tasksPerSecond(256)) ?? Number.NaN)
        await store.close()
      }
    }
  } finally {
    await stores.stop()
  }
  for (const [index, [, values]] of [...figures].entries()) {
    const rounds = values.map((value) => value.toFixed(0)).join(', ')
    process.stdout.write(
      `${index + 1} API and ${index + 1} worker process(es): ${median(values).toFixed(0)} tasks/s end to end (rounds: ${rounds})\n`,
    )
  }
}
