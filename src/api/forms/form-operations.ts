// Operations of the form endpoints (notify, task_status, submit_task, check_task), which accept JSON and HTML
// forms. The routes take the access from here, and /openapi.json is generated from all of it.
import type { Registry } from '../../definitions/registry.ts'
import {
  type Content,
  HTML_PAGE,
  json,
  type Operation,
  type Operations,
  type Schema,
} from '../openapi/operation.ts'
import { refOfDefinition } from '../tasks/definition-schemas.ts'
import { SUBMISSION } from '../tasks/submit-operations.ts'
import { EXAMPLE_ID } from '../tasks/task-examples.ts'
import { FORM_TYPES } from './form-fields.ts'
import { checkedTask, formSubmitted, notified, taskStatus } from './form-schemas.ts'

export function formOperations(registry: Registry) {
  const { title, description, example } = registry.get('notify')
  const submitNotify = {
    ...SUBMISSION,
    summary: title,
    description,
    body: { content: jsonOrForm(refOfDefinition('notify', 'Input'), { example }) },
    responses: {
      202: {
        description: 'Accepted: the task is committed.',
        headers: ['Location', 'Idempotent-Replayed'],
        content: json(notified, { accepted: { task_id: EXAMPLE_ID, status: 'PENDING' } }),
      },
    },
  } satisfies Partial<Operation>
  return {
    notify_without_slash: { ...submitNotify, route: 'POST /notify' },
    notify: { ...submitNotify, route: 'POST /notify/' },
    task_status: {
      route: 'GET /task_status/:id',
      summary: 'Status of a task',
      access: 'read or poll token',
      parameters: ['TaskId'],
      responses: {
        200: {
          description: 'Status of the task.',
          content: json(taskStatus, {
            finished: {
              task_id: EXAMPLE_ID,
              status: 'SUCCESS',
              result: { text: 'elggaW' },
              error: null,
              progress: { fraction: 1, message: null },
            },
          }),
        },
      },
      problems: ['unavailable'],
    },
    submit_form: {
      ...SUBMISSION,
      route: 'POST /submit_task',
      summary: 'Submit a task by form type',
      description:
        'The body contains `form_type` and the members of the input. A JSON body gets a JSON response, a form body a redirect to the page of the task.',
      body: {
        content: jsonOrForm(
          { oneOf: FORM_TYPES.map(formOf) },
          Object.fromEntries(
            FORM_TYPES.map((name) => [name, { form_type: name, ...fieldsOf(registry, name) }]),
          ),
        ),
      },
      responses: {
        202: {
          description: 'Accepted: the task is committed.',
          headers: ['Idempotent-Replayed'],
          content: json(formSubmitted, {
            accepted: { task_id: EXAMPLE_ID, status_url: `/task_status/${EXAMPLE_ID}` },
          }),
        },
        303: {
          description: 'Accepted from a form body: redirect to the page of the task.',
          headers: ['Location'],
        },
      },
    },
    submit_link: {
      route: 'GET /submit_task',
      summary: 'Submit `divide` with a link',
      description:
        'Submits `divide` with GET, for links in browsers. HEAD and prefetch requests are rejected.',
      access: 'submit',
      parameters: ['Dividend', 'Divisor'],
      responses: {
        200: { description: 'A page with the id of the task and a link to its status.', content: HTML_PAGE },
      },
      problems: ['refused_prefetch', 'invalid_input', ...SUBMISSION.problems],
    },
    check_task: {
      route: 'GET /check_task/:id',
      summary: 'Page of a task',
      description: 'HTML that refreshes itself until the task has ended, or JSON if `Accept` asks for it.',
      access: 'read or poll token',
      parameters: ['TaskId'],
      responses: {
        200: {
          description: 'Status and result of the task.',
          content: { ...HTML_PAGE, ...json(checkedTask) },
        },
      },
      problems: ['unavailable'],
    },
  } satisfies Operations
}

function jsonOrForm(schema: Schema, examples: Record<string, unknown>): Record<string, Content> {
  const content = { schema, examples }
  return {
    'application/json': content,
    'application/x-www-form-urlencoded': content,
    'multipart/form-data': { schema },
  }
}

function formOf(name: string): Schema {
  const formType = { properties: { form_type: { const: name } }, required: ['form_type'] }
  return { title: name, allOf: [refOfDefinition(name, 'Input'), { type: 'object', ...formType }] }
}

function fieldsOf(registry: Registry, name: string): object {
  const { example } = registry.get(name)
  return typeof example === 'object' && example !== null ? example : {}
}
