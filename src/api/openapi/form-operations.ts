// OpenAPI operations of the form endpoints (notify, task_status, submit_task, check_task), which accept JSON
// and HTML forms.
import type { Registry } from '../../definitions/registry.ts'
import { FORM_TYPES } from '../forms/form-routes.ts'
import { EXAMPLE_ID } from './examples.ts'
import { type Content, HTML_PAGE, json, type Operation, type Schema } from './operation.ts'
import { SUBMISSION_PARAMETERS } from './parameters.ts'
import { ref, refOfDefinition } from './schemas.ts'
import { SUBMISSION_PROBLEMS } from './submit-operations.ts'

export function formOperations(registry: Registry): Operation[] {
  const notify = registry.get('notify')
  return [
    ...['/notify', '/notify/'].map(
      (path): Operation => ({
        method: 'post',
        path,
        id: path === '/notify' ? 'notify_without_slash' : 'notify',
        summary: notify.title,
        description: notify.description,
        tag: 'Form endpoints',
        scope: 'submit',
        parameters: [...SUBMISSION_PARAMETERS],
        body: {
          isRequired: true,
          content: jsonOrForm(refOfDefinition('notify', 'Input'), { example: notify.example }),
        },
        responses: {
          202: {
            description: 'Accepted: the task is committed.',
            headers: ['Location', 'Idempotent-Replayed'],
            content: json(ref('Notified'), { accepted: { task_id: EXAMPLE_ID, status: 'PENDING' } }),
          },
        },
        problems: SUBMISSION_PROBLEMS,
      }),
    ),
    {
      method: 'get',
      path: '/task_status/{id}',
      id: 'task_status',
      summary: 'Status of a task',
      tag: 'Form endpoints',
      scope: 'read',
      takesPollToken: true,
      parameters: ['TaskId'],
      responses: {
        200: {
          description: 'Status of the task.',
          content: json(ref('TaskStatus'), {
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
      problems: ['unknown_task', 'unavailable'],
    },
    {
      method: 'post',
      path: '/submit_task',
      id: 'submit_form',
      summary: 'Submit a task by form type',
      description:
        'The body contains `form_type` and the members of the input. A JSON body gets a JSON response, a form body a redirect to the page of the task.',
      tag: 'Form endpoints',
      scope: 'submit',
      parameters: [...SUBMISSION_PARAMETERS],
      body: {
        isRequired: true,
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
          content: json(ref('FormSubmitted'), {
            accepted: { task_id: EXAMPLE_ID, status_url: `/task_status/${EXAMPLE_ID}` },
          }),
        },
        303: {
          description: 'Accepted from a form body: redirect to the page of the task.',
          headers: ['Location'],
        },
      },
      problems: SUBMISSION_PROBLEMS,
    },
    {
      method: 'get',
      path: '/submit_task',
      id: 'submit_link',
      summary: 'Submit `divide` with a link',
      description:
        'Submits `divide` with GET, for links in browsers. HEAD and prefetch requests are rejected.',
      tag: 'Form endpoints',
      scope: 'submit',
      parameters: ['Dividend', 'Divisor'],
      responses: {
        200: { description: 'A page with the id of the task and a link to its status.', content: HTML_PAGE },
      },
      problems: ['refused_prefetch', 'invalid_input', 'overloaded', 'unavailable', 'outcome_unknown'],
    },
    {
      method: 'get',
      path: '/check_task/{id}',
      id: 'check_task',
      summary: 'Page of a task',
      description: 'HTML that refreshes itself until the task has ended, or JSON if `Accept` asks for it.',
      tag: 'Form endpoints',
      scope: 'read',
      takesPollToken: true,
      parameters: ['TaskId'],
      responses: {
        200: {
          description: 'Status and result of the task.',
          content: { ...HTML_PAGE, ...json(ref('CheckedTask')) },
        },
      },
      problems: ['unknown_task', 'unavailable'],
    },
  ]
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
