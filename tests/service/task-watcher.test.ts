// Task subscriptions: which rows the watcher reads, and what each subscription gets.
import { expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { createTaskWatcher } from '../../src/service/task-watcher.ts'
import type { TaskRow } from '../../src/store/schema.ts'
import type { KnownTask } from '../../src/store/task-reader.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { until } from '../support/system.ts'

function setup() {
  const queried: KnownTask[][] = []
  let rows: TaskRow[] = []
  const watcher = createTaskWatcher({
    findChanged: async (known) => {
      queried.push(known)
      return rows.filter(({ id, version }) =>
        known.some((task) => task.id === id && task.version !== version),
      )
    },
    find: async () => undefined,
    signals: { publish() {}, listen: () => () => {}, reconnect() {}, async stop() {} },
    events: createEvents(),
  })
  // The watcher reads only these two columns.
  const change = (id: string, version: number) => (rows = [{ id, version } as TaskRow])
  return { watcher, queried, change }
}

test('a row that was read is not read again until it has changed', async () => {
  const { watcher, queried } = setup()
  const id = newId()
  const subscription = watcher.subscribe(id)
  await subscription.next(3, 1_200)
  expect(queried.length).toBeGreaterThan(0)
  // The query always contains the known version. Without it the query would return the whole row.
  expect(queried.flat().every(({ version }) => version === 3)).toBe(true)
  subscription.close()
  await watcher.stop()
})

test('a subscription with an older version gets a change that another subscription already has', async () => {
  const { watcher, change } = setup()
  const id = newId()
  const [older, newer] = [watcher.subscribe(id), watcher.subscribe(id)]
  change(id, 6)
  const changed = older.next(5, 10_000)
  const nothing = newer.next(6, 1_500)
  expect((await changed)?.version).toBe(6)
  expect(await nothing).toBeUndefined()
  await watcher.stop()
})

test('stop() resolves all waiting subscriptions', async () => {
  const { watcher, queried } = setup()
  const subscription = watcher.subscribe(newId())
  const waiting = subscription.next(0, 60_000)
  await until(
    async () => queried.length,
    (count) => count > 0,
  )
  await watcher.stop()
  expect(await waiting).toBeUndefined()
  expect(subscription.isOver).toBe(true)
})
