// Replays of many tasks: how many of them are in memory at a time.
import { expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { createReplay } from '../../src/service/replay.ts'
import type { Submit } from '../../src/service/submit.ts'
import type { TaskRow } from '../../src/store/schema.ts'

const MIB = 1024 * 1024

test('at most 8 MiB of tasks are replayed at a time, and a larger one alone', async () => {
  const bytesById = new Map(
    [...new Array(20).fill(MIB), 50 * MIB, ...new Array(200).fill(10)].map((bytes) => [newId(), bytes]),
  )
  const submit = (async () => ({})) as unknown as Submit
  const batches: number[][] = []
  let batch: number[] | undefined
  const { replayMany } = createReplay({
    async find(id) {
      // The tasks of a batch are read in the same turn of the event loop.
      if (!batch) {
        batch = []
        batches.push(batch)
        setImmediate(() => {
          batch = undefined
        })
      }
      batch.push(bytesById.get(id) ?? 0)
      await new Promise((resolve) => setImmediate(resolve))
      return { id, tags: [], callbackUrl: null } as Partial<TaskRow> as TaskRow
    },
    findBytes: async () => bytesById,
    submit,
    resubmit: submit,
  })
  const ids = [...bytesById.keys()]
  expect(await replayMany(ids, () => ({}))).toBe(ids.length)
  expect(batches.flat()).toEqual([...bytesById.values()])
  const sizes = batches.map((sizes) => sizes.reduce((sum, bytes) => sum + bytes, 0))
  expect(sizes.filter((bytes) => bytes > 8 * MIB)).toEqual([50 * MIB])
  expect(Math.max(...batches.map(({ length }) => length))).toBe(100)
})
