// The folder of the form endpoints, with the example inputs of the definitions.
import { FORMS } from '../../forms/form-operations.ts'
import type { Registry } from '../../src/definitions/registry.ts'
import type { MakeRequest, PostmanFolder, PostmanItem } from './request.ts'
import { KEEP_FORM_TASK, KEEP_TASK_OF_PAGE, UNTIL_FINAL } from './scripts.ts'

const TASK = { id: '{{taskId}}' }

export function createFormFolder(make: MakeRequest, registry: Registry): PostmanFolder {
  const { example: notification } = registry.get('notify')
  const link = { name: 'Submit divide with a link', operationId: 'submit_link', query: { x: '10', y: '2' } }
  return {
    name: 'Form endpoints',
    item: [
      ...submitAndCheck('Notify', { operationId: 'notify', json: notification }),
      ...make({
        name: 'Notify with a form body',
        operationId: 'notify',
        status: 202,
        form: texts(notification),
        script: KEEP_FORM_TASK,
      }),
      ...Object.keys(FORMS).flatMap((name) =>
        submitAndCheck(`Submit ${name}`, {
          operationId: 'submit_form',
          json: { form_type: name, ...fieldsOf(registry, name) },
        }),
      ),
      ...make({
        name: 'Submit reverse with a form body',
        operationId: 'submit_form',
        status: 303,
        form: { form_type: 'reverse', ...texts(registry.get('reverse').example) },
      }),
      ...make({ ...link, status: 200, script: KEEP_TASK_OF_PAGE }),
      ...make({ name: 'Page of the division', operationId: 'check_task', status: 200, path: TASK }),
    ],
  }

  function submitAndCheck(name: string, request: { operationId: string; json: unknown }): PostmanItem[] {
    return [
      ...make({ name, status: 202, ...request, script: KEEP_FORM_TASK }),
      ...make({
        name: `${name}: wait until it has ended`,
        operationId: 'get_task',
        status: 200,
        path: TASK,
        query: { wait: '20' },
        script: UNTIL_FINAL,
      }),
      ...make({ name: `${name}: status`, operationId: 'task_status', status: 200, path: TASK }),
    ]
  }
}

function fieldsOf(registry: Registry, name: string): object {
  return Object(registry.get(name).example)
}

function texts(fields: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(Object(fields)).map(([name, value]) => [name, String(value)]))
}
