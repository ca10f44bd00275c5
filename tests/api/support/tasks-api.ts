// Test definitions and helpers for the tests of the tasks API.
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { z } from 'zod'
import type { TaskView } from '../../../src/api/tasks/task-view.ts'
import { defineTask } from '../../../src/definitions/define.ts'
import type { TestSystem } from '../../support/system.ts'

export const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
/** Options for tasks that no worker fetches. */
export const UNSERVED = { queue: 'unserved' }

export const echo = defineTask({
  name: 'echo',
  title: 'Echo',
  description: 'Returns its input.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async (input) => input,
})

/** Creates the definition "gate", whose tasks run until the test opens their gate. */
export function createGate() {
  const openGates = new Set<string>()
  const openers = new Map<string, () => void>()
  const definition = defineTask({
    name: 'gate',
    title: 'Gate',
    description:
      'Runs until its gate is opened. Fails when it is aborted, or immediately if the gate is broken.',
    input: z.object({ gate: z.string(), isBroken: z.boolean().default(false) }),
    output: z.object({ passed: z.string() }),
    example: { gate: 'a', isBroken: false },
    run: ({ gate: name, isBroken }, { signal }) =>
      new Promise((resolve, reject) => {
        const pass = () => resolve({ passed: name })
        if (openGates.has(name)) return pass()
        if (isBroken) return reject(new Error('the gate is broken'))
        openers.set(name, pass)
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })

  return {
    definition,
    /** Lets all tasks of this gate that start from now on succeed immediately. */
    keepOpen: (name: string) => openGates.add(name),
    /** Submits a task and resolves when it runs. It runs until `open` is called. */
    async startTask(system: TestSystem) {
      const name = randomUUID()
      const { id } = await system.submit('gate', { gate: name })
      await system.taskWhen(id, ({ status }) => status === 'STARTED' && openers.has(name))
      return { id, open: () => openers.get(name)?.() }
    },
  }
}

/** Returns helpers that send requests to the system of a test file. */
export function createTaskRequests(system: () => TestSystem) {
  return { get, post, waitingTask, finishedTask, idsOf }

  async function get(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${system().url}${path}`, { headers })
    const text = await response.text()
    const body: unknown = text === '' ? '' : JSON.parse(text)
    return { status: response.status, headers: response.headers, body }
  }

  /** Sends the body as it is, for JSON that `JSON.stringify` would not write. */
  async function post(path: string, body: string, type = 'application/json') {
    const response = await fetch(`${system().url}${path}`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': type },
    })
    return { status: response.status, body: (await response.json()) as unknown }
  }

  function waitingTask(): Promise<TaskView> {
    return system().submit('reverse', { text: 'abc' }, UNSERVED)
  }

  async function finishedTask() {
    return system().taskWhenFinal((await system().submit('reverse', { text: 'abc' })).id)
  }

  async function idsOf(query: string): Promise<string[]> {
    const { status, body } = await get(`/v1/tasks?${query}`)
    expect({ status, body }).toMatchObject({ status: 200 })
    return (body as { data: TaskView[] }).data.map(({ id }) => id)
  }
}
