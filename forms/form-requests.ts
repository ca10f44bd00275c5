// Example requests of the form endpoints, with the example inputs of the tasks. The Postman collection has
// them as a folder, and they can be run in this order.
import type { ExampleRequest } from 'waggle-tasks'
import { notify } from '../tasks/notify.ts'
import { reverse } from '../tasks/reverse.ts'
import { FORMS } from './form-operations.ts'

const TASK = { id: '{{taskId}}' }

// Scripts of Postman that store the id of the task for later requests.
const KEEP_TASK = ["pm.collectionVariables.set('taskId', pm.response.json().task_id)"]
const KEEP_TASK_OF_PAGE = [
  'const [, id] = /check_task\\/([0-9a-f-]{36})/.exec(pm.response.text()) ?? []',
  "pm.test('the page links to the task', () => pm.expect(id).to.be.a('string'))",
  "pm.collectionVariables.set('taskId', id)",
]

export const FORM_REQUESTS: readonly ExampleRequest[] = [
  ...submitAndCheck('Notify', 'notify', notify.example),
  {
    name: 'Notify with a form body',
    operationId: 'notify',
    status: 202,
    form: texts(notify.example),
    script: KEEP_TASK,
  },
  ...Object.entries(FORMS).flatMap(([name, { example }]) =>
    submitAndCheck(`Submit ${name}`, 'submit_form', { form_type: name, ...example }),
  ),
  {
    name: 'Submit reverse with a form body',
    operationId: 'submit_form',
    status: 303,
    form: { form_type: 'reverse', ...texts(reverse.example) },
  },
  {
    name: 'Submit divide with a link',
    operationId: 'submit_link',
    query: { x: '10', y: '2' },
    status: 200,
    script: KEEP_TASK_OF_PAGE,
  },
  { name: 'Page of the division', operationId: 'check_task', status: 200, path: TASK },
]

function submitAndCheck(name: string, operationId: string, json: unknown): ExampleRequest[] {
  return [
    { name, status: 202, operationId, json, script: KEEP_TASK },
    {
      name: `${name}: wait until it has ended`,
      operationId: 'get_task',
      status: 200,
      path: TASK,
      query: { wait: '20' },
      isRepeatedUntilFinal: true,
    },
    { name: `${name}: status`, operationId: 'task_status', status: 200, path: TASK },
  ]
}

function texts(fields: object): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]))
}
