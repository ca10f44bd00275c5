// What following a task costs, whoever follows it.
import { expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { createTaskWatcher } from '../../src/service/task-watcher.ts'
import type { TaskRow } from '../../src/store/schema.ts'
import type { KnownTask } from '../../src/store/task-reader.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { until } from '../support/system.ts'

function setup() {
  const asked: KnownTask[][] = []
  let rows: TaskRow[] = []
  const watcher = createTaskWatcher({
    findChanged: async (known) => {
      asked.push(known)
      return rows.filter(({ id, version }) =>
        known.some((task) => task.id === id && task.version !== version),
      )
    },
    find: async () => undefined,
    signals: { announce() {}, listen: () => () => {}, async stop() {} },
    events: createEvents(),
  })
  // Only what the watcher looks at.
  const change = (id: string, version: number) => (rows = [{ id, version } as TaskRow])
  return { watcher, asked, change }
}

test('a row that was read is not read again until it has changed', async () => {
  const { watcher, asked } = setup()
  const id = newId()
  const subscription = watcher.subscribe(id)
  await subscription.next(3, 1_200)
  expect(asked.length).toBeGreaterThan(0)
  // Never as one of which nothing is known: that would bring the whole row.
  expect(asked.flat().every(({ version }) => version === 3)).toBe(true)
  subscription.close()
  await watcher.stop()
})

test('who is behind is told what another one has seen already', async () => {
  const { watcher, change } = setup()
  const id = newId()
  const [behind, ahead] = [watcher.subscribe(id), watcher.subscribe(id)]
  change(id, 6)
  const news = behind.next(5, 10_000)
  const nothing = ahead.next(6, 1_500)
  expect((await news)?.version).toBe(6)
  expect(await nothing).toBeUndefined()
  await watcher.stop()
})

test('a stop lets go of everybody who waits', async () => {
  const { watcher, asked } = setup()
  const subscription = watcher.subscribe(newId())
  const waiting = subscription.next(0, 60_000)
  await until(
    async () => asked.length,
    (count) => count > 0,
  )
  await watcher.stop()
  expect(await waiting).toBeUndefined()
  expect(subscription.isOver).toBe(true)
})
