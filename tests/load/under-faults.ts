// Submits 2,000 tasks while faults occur, and checks that each has succeeded with exactly one result.
import { expect } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
import { type TestSystem, until } from '../support/system.ts'
import { spawnWorker } from '../support/worker-process.ts'

const TOTAL = 2_000

/**
 * Runs the faults one after the other, spread over the run. The argument of a fault kills the worker.
 * @param begin called right before the first submission
 */
export async function expectAllToSucceed(
  system: TestSystem,
  faults: ((kill: () => Promise<void>) => Promise<void>)[],
  begin = async () => {},
) {
  let worker = await spawnWorker(system)
  const kill = async () => {
    await worker.kill()
    worker = await spawnWorker(system)
  }
  await begin()
  const submitting = submitAll(TOTAL)
  for (const [index, fault] of faults.entries()) {
    // Each fault occurs after its share of the tasks has succeeded.
    await until(countDone, (done) => done >= (TOTAL * index) / (faults.length + 1))
    await fault(kill)
  }
  const ids = await submitting
  await until(countDone, (done) => done === TOTAL)
  await worker.terminate()

  expect(new Set(ids).size).toBe(TOTAL)
  expect(await system.countByStatus()).toEqual({ SUCCESS: TOTAL })
  // Each row has exactly one result: the result of the attempt in its attempt column.
  const rows = await system.connections.database.query<{ wrong: number; failed: number }>(sql`
    select count(*) filter (where result::text <> attempt::text)::int as wrong,
           count(*) filter (where failures >= attempt)::int as failed from tasks`)
  expect(rows[0]).toEqual({ wrong: 0, failed: 0 })

  async function submitAll(count: number): Promise<string[]> {
    const ids: string[] = []
    while (ids.length < count) {
      // Submit slowly, so that faults occur during submissions too.
      const batch = await Promise.all(
        Array.from({ length: 50 }, () => system.submit('sleep', { ms: 20 }, { max_retries: 20 })),
      )
      ids.push(...batch.map(({ id }) => id))
      await pause(50)
    }
    return ids
  }

  async function countDone(): Promise<number> {
    const { SUCCESS = 0 } = await system.countByStatus()
    return SUCCESS
  }
}
