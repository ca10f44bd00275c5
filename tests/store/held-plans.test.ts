// The end of a held task reads only its own groups, however many keys there are.
import { expect, inject, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createLimitStore } from '../../src/store/held/limit-store.ts'
import { createTaskStore } from '../../src/store/task-store.ts'
import { recordPlans, rowsReadBy, scansOf } from '../support/executed-plans.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { createTestDatabase } from '../support/test-database.ts'

const GROUPS = 20_000
const TASKS = 10
const workerId = newId()

// PGlite is skipped: the test checks the planner of a Postgres server.
test.skipIf(inject('postgresUrl') === null)('among many groups, with a plan from before', async () => {
  const testDatabase = await createTestDatabase()
  const recorded = recordPlans(testDatabase.url)
  // One connection per lane, so that every call uses the plan of the first one.
  const database = await openDatabase(recorded.url, { poolSize: 1 })
  onTestFinished(async () => {
    recorded.stop()
    await database.close()
    await testDatabase.drop()
  })
  const [taskStore, limitStore] = [createTaskStore(database), createLimitStore(database)]
  await runTasks()
  await database.query(sql`
    insert into task_groups (queue, is_isolated, priority, name, concurrency_key, rate_key, turn_at)
    select 'unused', false, 1, 'held', 'other ' || n, '', 'infinity' from generate_series(1, ${GROUPS}::int) as n`)
  recorded.plans.length = 0
  await runTasks()
  const plans = recorded.plans.filter(({ text }) => /freed|picked|locked/.test(text))
  expect(plans.length).toBeGreaterThanOrEqual(3)
  for (const { text, root } of plans) {
    const scans = scansOf(root).filter((scan) => scan['Relation Name'] === 'task_groups')
    expect(rowsReadBy(scans), text).toBeLessThan(20 * TASKS)
  }

  /** Submits tasks with different keys, claims them, and ends them. */
  async function runTasks() {
    const hold = (index: number) => ({
      concurrencyKey: `key ${index}`,
      rateKey: '',
      priority: 'normal' as const,
    })
    const tasks = createNewTasks(TASKS).map((task, index) => ({ ...task, name: 'held', hold: hold(index) }))
    await taskStore.insertMany(tasks)
    const part = { queue: 'unused', isIsolated: false, names: ['held'] }
    const claim = await limitStore.claim(part, { reserve: () => TASKS, workerId, startNumber: 0 })
    expect(claim.tasks).toHaveLength(TASKS)
    const decision = { status: 'SUCCESS' as const, failures: 0, resultText: '{}' }
    const statuses = await taskStore.finishMany(
      claim.tasks.map(({ id, attempt }) => ({ id, attempt, workerId, decision, isHeld: true as const })),
    )
    expect(statuses).toEqual(Array(TASKS).fill('SUCCESS'))
  }
})
