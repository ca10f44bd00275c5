// Inserts, claims and ends held tasks of one definition with the stores only, beside transactions that lock rows.
import pg from 'pg'
import { newId } from '../../src/base/uuidv7.ts'
import type { Limits } from '../../src/definitions/limits.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createNewTasks } from './new-tasks.ts'
import { type TestSystem, until } from './system.ts'

/** @param part the definition, and a queue that no worker of the test serves */
export function openHeldStore(system: TestSystem, part: { name: string; queue: string }) {
  const { database, limitStore, taskStore } = system.connections
  const workerId = newId()
  return {
    /** Inserts a held task with these keys of its limits. */
    async insert(concurrencyKey: string, rateKey = ''): Promise<string> {
      const hold = { concurrencyKey, rateKey, priority: 'normal' as const }
      const [task] = createNewTasks(1).map((created) => ({ ...created, ...part, hold }))
      await taskStore.insertMany(task ? [task] : [])
      return task?.id ?? ''
    },

    /** Claims for a worker with this number of slots. @param onLocked called when the limits are locked */
    claim(slots = 5, onLocked = () => {}) {
      const reserve = () => {
        onLocked()
        return slots
      }
      const due = { queue: part.queue, isIsolated: false, names: [part.name] }
      return limitStore.claim(due, { reserve, workerId, startNumber: 0 })
    },

    /** Ends the first attempts of tasks in one statement. */
    end(...ids: string[]) {
      const decision = { status: 'SUCCESS' as const, failures: 0, resultText: '{}' }
      return taskStore.finishMany(ids.map((id) => ({ id, attempt: 1, workerId, decision, isHeld: true })))
    },

    /** Stores the limits of the definition, as a worker that starts does. */
    limit: (limits: Limits | null, hasKeys = false) =>
      limitStore.writeDefinitions([{ name: part.name, limits, hasKeys }]),

    /** Begins a transaction with these changes. @returns a function that commits it */
    async begin(changes: string): Promise<() => Promise<void>> {
      const client = new pg.Client({ connectionString: system.database.url })
      await client.connect()
      await client.query(`begin; ${changes}`)
      return async () => {
        await client.query('commit')
        await client.end()
      }
    },

    /** Waits until so many transactions wait for others. */
    async untilWaiting(count: number) {
      await until(
        () =>
          database.query<{ count: number }>(
            sql`select count(*)::int as count from pg_locks where not granted and pid in (
                  select pid from pg_stat_activity where datname = current_database())`,
          ),
        ([row]) => (row?.count ?? 0) >= count,
      )
    },
  }
}
