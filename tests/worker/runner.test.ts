// Memory of attempts that have ended.
import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { newId } from '../../src/base/uuidv7.ts'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry } from '../../src/definitions/registry.ts'
import type { Services } from '../../src/definitions/services.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createAttemptEnd } from '../../src/worker/attempts/attempt-end.ts'
import { createRunner } from '../../src/worker/attempts/runner.ts'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { createSlots } from '../../src/worker/attempts/slots.ts'
import { createUnwrittenResults } from '../../src/worker/attempts/unwritten-results.ts'
import { claimedTask } from '../support/claimed-task.ts'
import { collectYoung, heldMiB, MIB } from '../support/garbage-collection.ts'

const readInput = defineTask({
  name: 'read_input',
  title: 'Read the input',
  description: 'Reads all of its input.',
  input: z.any(),
  output: z.boolean(),
  example: null,
  run: async (_input, { signal, progress, log }) => {
    progress(1)
    await new Promise(setImmediate)
    return signal.aborted || typeof log !== 'function'
  },
})

test('the memory of an ended attempt is freed by minor garbage collections', async () => {
  const running = createRunningTasks()
  const events = createEvents()
  const workerId = newId()
  const logs = {
    add: () => undefined,
    addStorable: () => {},
    finish: async () => {},
    forget: () => {},
    stop: async () => {},
  }
  const end = createAttemptEnd({
    workerId,
    running,
    logs,
    finish: async ({ decision }) => decision.status,
    keepRefused: async () => null,
    onFinished: () => {},
    events,
  })
  const { run } = createRunner({
    workerId,
    registry: createRegistry([readInput as TaskDefinition]),
    services: {} as Services,
    running,
    scope: new AsyncLocalStorage(),
    slots: createSlots(50),
    isolate: async () => {},
    logs,
    unwritten: createUnwrittenResults(),
    watchdog: { noteDeadline: () => {}, blockOf: () => undefined },
    end,
    onLeaked: () => {},
    hasHooks: false,
    abortGraceMs: 1_000,
    events,
  })
  await Promise.all(Array.from({ length: 50 }, () => run(claimed())))
  const before = heldMiB()
  for (let rounds = 0; rounds < 10; rounds++) {
    await Promise.all(Array.from({ length: 50 }, () => run(claimed())))
    collectYoung()
  }
  expect(heldMiB() - before).toBeLessThan(5)
})

/**
 * Creates a claimed task with an input of 0.1 MiB, so that a retained task shows in the memory of the
 * process.
 */
const claimed = () => claimedTask({ name: 'read_input', input: Buffer.alloc(MIB / 10, 1) })
