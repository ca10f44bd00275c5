// Scripts that Postman runs after a response.

/** Stores the id of the task for later requests. */
export const KEEP_TASK = ["pm.collectionVariables.set('taskId', pm.response.json().id)"]

/** Stores the id of any live worker. */
export const KEEP_WORKER = [
  'const worker = pm.response.json().data.find(({ is_alive }) => is_alive)',
  "pm.test('a worker is alive', () => pm.expect(worker).to.be.an('object'))",
  "pm.collectionVariables.set('workerId', worker.id)",
]

export const KEEP_ETAG = ["pm.collectionVariables.set('taskETag', pm.response.headers.get('ETag'))"]

export const IS_REPLAYED = [
  "pm.test('the response is marked as replayed', () => {",
  "  pm.expect(pm.response.headers.get('Idempotent-Replayed')).to.equal('true')",
  '})',
]

/**
 * Repeats the request until the task has ended. Each request waits up to 20 seconds. The test fails after six
 * requests, because then probably no worker runs.
 */
export const UNTIL_FINAL = [
  'const task = pm.response.json()',
  "const rounds = Number(pm.collectionVariables.get('rounds')) + 1",
  'const isDone = task.is_final || rounds >= 6',
  "pm.collectionVariables.set('rounds', isDone ? 0 : rounds)",
  'if (!isDone) pm.execution.setNextRequest(pm.info.requestId)',
  "else pm.test('the task has ended', () => pm.expect(task.is_final, task.status).to.be.true)",
]
