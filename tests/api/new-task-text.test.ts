// The response to a submission is built from text templates. It must equal the JSON of the task's view.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { textOfNewTask } from '../../src/api/tasks/new-task-text.ts'
import { viewOfNewTask } from '../../src/api/tasks/task-view.ts'
import { parseExactly } from '../../src/base/exact-json.ts'
import { newId } from '../../src/base/uuidv7.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'

test('the text of a new task equals the JSON of its view', () => {
  fc.assert(
    fc.property(newTasks(), (task) => {
      expect(textOfNewTask(task)).toBe(JSON.stringify(viewOfNewTask(task)))
      const inputText = JSON.stringify(task.input)
      expect(textOfNewTask({ ...task, inputText })).toBe(JSON.stringify(viewOfNewTask(task)))
    }),
    { numRuns: 1_000 },
  )
})

test('the text contains numbers that a double would change with all their digits', () => {
  const input = parseExactly('{"big":9007199254740993}')
  expect(textOfNewTask(plainTask({ input }))).toContain('"input":{"big":9007199254740993}')
})

test('values that look like placeholders of the template are not replaced', () => {
  const input = ['<id>', '"<input>"', '<request>', new Date(0).toISOString()]
  const task = plainTask({ input, requestId: '"<id>"', createdAt: new Date(0) })
  expect(textOfNewTask(task)).toBe(JSON.stringify(viewOfNewTask(task)))
})

test('the text is right also when more templates are needed than are cached', () => {
  for (let maxRetries = 0; maxRetries < 30; maxRetries++) {
    const task = plainTask({ name: 'many_kinds', maxRetries })
    expect(textOfNewTask(task)).toBe(JSON.stringify(viewOfNewTask(task)))
  }
})

function plainTask(task: Partial<NewTask> = {}): NewTask {
  const kind = { name: 'reverse', queue: 'default', maxRetries: 3, timeoutMs: 30_000, tags: [] }
  return { ...kind, id: newId(), input: null, createdAt: new Date(), requestId: newId(), ...task }
}

function newTasks(): fc.Arbitrary<NewTask> {
  const timestamp = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') })
  const rarely = <Value>(value: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 20, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
  return fc.record({
    id: fc.constant(null).map(() => newId()),
    name: fc.constantFrom('reverse', 'divide'),
    queue: fc.constantFrom('default', 'slow'),
    input: fc.oneof(
      fc.json().map((text) => JSON.parse(text)),
      fc.string({ unit: 'binary' }),
    ),
    maxRetries: fc.constantFrom(0, 3),
    timeoutMs: fc.constantFrom(100, 30_000),
    isIsolated: fc.constantFrom(undefined, false, true),
    tags: rarely(fc.array(fc.string())).map((tags) => tags ?? []),
    createdAt: timestamp,
    runAt: rarely(timestamp),
    requestId: fc.option(fc.stringMatching(/^[\x21-\x7e]{1,40}$/), { nil: undefined }),
    traceparent: rarely(fc.string()),
    callbackUrl: rarely(fc.webUrl()),
    replayedFrom: rarely(fc.uuid()),
    parentId: rarely(fc.uuid()),
  })
}
