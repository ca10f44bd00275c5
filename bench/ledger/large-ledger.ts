// The database with many finished tasks. Several measurements share it, because it takes minutes to create.
import type { Store, Stores } from '../stores.ts'
import type { Amounts } from './plan.ts'
import { createLedger, pastPartitions, seedFinished, seedOf } from './seed.ts'

/**
 * @returns `open`, which creates the database at the first call, and `close`, which removes it if it exists
 */
export function createLargeLedger(stores: Stores, amounts: Amounts['sizes'], log: (line: string) => void) {
  let opening: Promise<Store> | undefined
  return {
    open() {
      opening ??= create(stores, amounts, log)
      return opening
    },
    async close() {
      const store = await opening?.catch(() => undefined)
      await store?.close()
    },
  }
}

async function create(
  stores: Stores,
  amounts: Amounts['sizes'],
  log: (line: string) => void,
): Promise<Store> {
  const { finishedTasks, partitions } = amounts
  const store = await stores.open('large')
  try {
    const database = await createLedger(store, partitions)
    const past = await pastPartitions(database)
    await database.close()
    const tasks = Math.ceil(finishedTasks / past.length)
    await seedFinished(
      store,
      past.map((partition) => seedOf(partition, tasks)),
      log,
    )
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}
