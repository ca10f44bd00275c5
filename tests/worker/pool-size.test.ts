// The number of isolated processes, by settings and by the memory limit of the container.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { poolSizeOf } from '../../src/worker/isolated/pool-size.ts'

const GIB = 1_024 ** 3
const common = {
  title: 'For tests',
  description: 'For tests',
  input: z.any(),
  output: z.any(),
  example: 1,
  run: async () => 1,
}
const plain = defineTask({ ...common, name: 'plain' }) as TaskDefinition
const heavy = defineTask({ ...common, name: 'heavy', isolate: { memoryMb: 1_024 } }) as TaskDefinition
const options = { workers: 1, cores: 4, memoryLimit: 0, definitions: [plain] }

test.each([
  ['one per core without a limit', {}, 4],
  ['one per core if the limit is not a number of bytes', { memoryLimit: 18446744073709552000 }, 4],
  ['the cores are shared by the worker processes', { workers: 3 }, 2],
  ['as requested', { requested: 7 }, 7],
  ['at least one per worker process', { requested: 2, workers: 4 }, 1],
  ['fewer if the memory limit does not allow more', { memoryLimit: 2 * GIB }, 3],
  ['by the definition that needs most', { memoryLimit: 4 * GIB, definitions: [plain, heavy] }, 3],
  ['one for tasks of crashed workers, whatever the limit', { memoryLimit: GIB / 4 }, 1],
])('%s', (_, own, size) => {
  expect(poolSizeOf({ ...options, ...own })).toBe(size)
})

test.each([
  [
    'requested processes',
    { requested: 4, memoryLimit: 2 * GIB, definitions: [heavy] },
    /limit of 2048 MB is too small: 4 isolated processes of 1024 MB \(isolate.memoryMb of heavy\) and 1 worker process /,
  ],
  [
    'a single process',
    { memoryLimit: GIB, definitions: [heavy] },
    /limit of 1024 MB is too small: 1 isolated process of 1024 MB/,
  ],
])('%s that cannot fit into the memory limit are refused', (_, own, message) => {
  expect(() => poolSizeOf({ ...options, ...own })).toThrow(message)
})

test.each([
  [{ memoryMb: 1 }, 'Task "x": isolate.memoryMb must be a whole number from 256 to 2147483647, not 1'],
  [
    { killGraceMs: Number.NaN },
    'Task "x": isolate.killGraceMs must be a whole number from 0 to 2147483647, not NaN',
  ],
  [
    { memory: 5 } as object,
    'Task "x": isolate.memory is unknown: expected memoryMb, killGraceMs or maxAttemptsPerProcess',
  ],
])('a definition with isolate %j is refused', (isolate, message) => {
  expect(() => defineTask({ ...common, name: 'x', isolate })).toThrow(message)
})
