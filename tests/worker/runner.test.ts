// What is left of a task that has run.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { newId } from '../../src/base/uuidv7.ts'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry } from '../../src/definitions/registry.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createRunner } from '../../src/worker/runner.ts'
import { createRunningTasks } from '../../src/worker/running-tasks.ts'
import { claimedTask } from '../support/claimed-task.ts'
import { collectYoung, heldMiB, MIB } from '../support/minor-collection.ts'

const look = defineTask({
  name: 'look',
  title: 'Look',
  description: 'SharedQueries at all that it is given.',
  input: z.any(),
  output: z.boolean(),
  example: null,
  run: async (_input, { signal, progress, log }) => {
    progress(1)
    await new Promise(setImmediate)
    return signal.aborted || typeof log !== 'function'
  },
})

test('a task that has ended is let go of without a collection of the whole heap', async () => {
  const run = createRunner({
    workerId: newId(),
    registry: createRegistry([look as TaskDefinition]),
    running: createRunningTasks(),
    logs: { add: () => undefined, finish: async () => {}, forget: () => {}, stop: async () => {} },
    finish: async ({ decision }) => decision.status,
    onHandlerDone: () => {},
    onFinished: () => {},
    events: createEvents(),
  })
  await Promise.all(Array.from({ length: 50 }, () => run(claimed())))
  const before = heldMiB()
  for (let rounds = 0; rounds < 10; rounds++) {
    await Promise.all(Array.from({ length: 50 }, () => run(claimed())))
    collectYoung()
  }
  expect(heldMiB() - before).toBeLessThan(5)
})

/** With an input of a tenth of a megabyte, which tells by what a process holds whether it is still there. */
const claimed = () => claimedTask({ name: 'look', input: Buffer.alloc(MIB / 10, 1) })
