// New tasks for tests that write to the store directly.
import { newId } from '../../src/base/uuidv7.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'

/** Creates tasks in a queue that no worker serves. */
export function createNewTasks(count: number): NewTask[] {
  return Array.from({ length: count }, () => ({
    id: newId(),
    name: 'reverse',
    queue: 'unused',
    input: { text: 'ab' },
    maxRetries: 3,
    timeoutMs: 1_000,
    tags: [],
    createdAt: new Date(),
  }))
}
