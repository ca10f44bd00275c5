// The async context of an attempt: only code of its task runs in it.
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import type { AttemptScope } from '../../src/worker/attempts/running-tasks.ts'
import { startParts } from '../../src/worker/parts.ts'
import { startSystem } from '../support/system.ts'

test('claims, results and enqueues of the worker do not belong to the context of an attempt', async () => {
  let scope: AttemptScope | undefined
  const keys: unknown[] = []
  const look = defineTask({
    name: 'look',
    title: 'Notes its async context',
    description: 'for tests',
    input: z.object({ ending: z.enum(['return', 'throw', 'hold']) }),
    output: z.unknown(),
    example: { ending: 'return' },
    async run({ ending }, { id, attempt, log, progress, signal }) {
      log('a line')
      progress(0.5)
      keys.push([scope?.getStore(), { taskId: id, attempt }])
      if (ending === 'throw') throw new Error('as requested')
      // The abort comes from a timer or from Redis, and its listener is code of the task.
      if (ending === 'hold')
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            keys.push([scope?.getStore(), { taskId: id, attempt }])
            resolve()
          }),
        )
      signal.throwIfAborted()
      return null
    },
  })
  const system = await startSystem({ worker: false, definitions: [look] })
  onTestFinished(() => system.stop())
  const { connections, registry, events } = system
  const parts = startParts(connections, registry, events, {
    queues: ['default'],
    concurrency: 20,
    version: 'test',
    missingAfterMs: 3_000,
  })
  onTestFinished(async () => {
    const { dispatcher, reconciler, consumers, retention, heartbeat, callbacks, logs } = parts
    await Promise.all(
      [dispatcher, reconciler, ...consumers, retention, heartbeat, callbacks, logs].map((part) =>
        part.stop(),
      ),
    )
  })
  scope = parts.scope
  const outside: unknown[] = []
  const note = () => outside.push(scope?.getStore())
  for (const name of ['task.started', 'task.finished', 'batch.written', 'tasks.enqueued'] as const)
    events.on(name, note)

  const submit = (ending: string, options = {}) => system.submit('look', { ending }, options)
  const tasks = [
    await submit('return'),
    await submit('throw', { max_retries: 1 }),
    await submit('hold', { timeout_seconds: 0.1, max_retries: 0 }),
    await submit('hold'),
  ]
  const held = tasks[3]?.id ?? ''
  await system.taskWhen(held, ({ progress }) => progress.fraction === 0.5)
  await system.request('POST', `/v1/tasks/${held}/cancel`)
  const ended = await Promise.all(tasks.map(({ id }) => system.taskWhenFinal(id)))
  expect(ended.map(({ status }) => status)).toEqual(['SUCCESS', 'FAILURE', 'FAILURE', 'CANCELLED'])
  // Five attempts, and the abort listeners of two of them.
  expect(keys).toHaveLength(7)
  for (const [key, expected] of keys as [unknown, unknown][]) expect(key).toEqual(expected)
  expect(outside.length).toBeGreaterThan(10)
  expect(outside.filter((key) => key !== undefined)).toEqual([])
})
