// What Postman runs after an answer.

/** Keeps the task for the requests that follow. */
export const KEEP_TASK = ["pm.collectionVariables.set('taskId', pm.response.json().id)"]

export const KEEP_CLASSIC_TASK = ["pm.collectionVariables.set('taskId', pm.response.json().task_id)"]

export const KEEP_TASK_OF_PAGE = [
  'const [, id] = /check_task\\/([0-9a-f-]{36})/.exec(pm.response.text()) ?? []',
  "pm.test('the page leads to the task', () => pm.expect(id).to.be.a('string'))",
  "pm.collectionVariables.set('taskId', id)",
]

/** Any one that works. */
export const KEEP_WORKER = [
  'const worker = pm.response.json().data.find(({ is_alive }) => is_alive)',
  "pm.test('a worker is there', () => pm.expect(worker).to.be.an('object'))",
  "pm.collectionVariables.set('workerId', worker.id)",
]

export const KEEP_TAG = ["pm.collectionVariables.set('taskTag', pm.response.headers.get('ETag'))"]

export const IS_REPLAYED = [
  "pm.test('nothing was submitted twice', () => {",
  "  pm.expect(pm.response.headers.get('Idempotent-Replayed')).to.equal('true')",
  '})',
]

/** Asks again until the task has ended. Each request waits up to 20 seconds by itself; after six nobody works here. */
export const UNTIL_FINAL = [
  'const task = pm.response.json()',
  "const rounds = Number(pm.collectionVariables.get('rounds')) + 1",
  'const isDone = task.is_final || rounds >= 6',
  "pm.collectionVariables.set('rounds', isDone ? 0 : rounds)",
  'if (!isDone) pm.execution.setNextRequest(pm.info.requestId)',
  "else pm.test('the task has ended', () => pm.expect(task.is_final, task.status).to.be.true)",
]
