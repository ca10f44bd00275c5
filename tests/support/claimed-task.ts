// Creates a task as a claim returns it to a worker.

import { newId } from '../../src/base/uuidv7.ts'
import type { ClaimedTask } from '../../src/store/claim.ts'

export function claimedTask(own: Partial<ClaimedTask> = {}): ClaimedTask {
  return {
    id: newId(),
    name: 'reverse',
    input: {},
    attempt: 1,
    failures: 0,
    maxRetries: 3,
    timeoutMs: 1_000,
    waitMs: 0,
    requestId: null,
    traceparent: null,
    hasCallback: false,
    ...own,
  }
}
