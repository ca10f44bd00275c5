// Operations of the form endpoints (notify, submit_task, check_task), which accept JSON and HTML forms. The
// routes take the access from here, and /openapi.json describes them.
import type { Operation, Operations, ProjectOperations } from 'waggle-tasks'
import { divide } from '../tasks/divide.ts'
import { email } from '../tasks/email.ts'
import { notify } from '../tasks/notify.ts'
import { reverse } from '../tasks/reverse.ts'
import { sentiment } from '../tasks/sentiment.ts'
import { FORM_SCHEMAS, formSubmitted, notified } from './form-schemas.ts'

/** Definitions by the values of the field `form_type` of POST /submit_task. */
export const FORMS = { email, reverse, sentiment, divide } as const
export type FormType = keyof typeof FORMS

const FORM_TYPES = Object.keys(FORMS) as FormType[]
const EXAMPLE_ID = '01890000-0000-7000-8000-000000000000'
const HTML_PAGE = { 'text/html': { schema: { type: 'string' } } }

const SUBMISSION = {
  access: 'submit',
  parameters: ['IdempotencyKey', 'RequestId', 'Traceparent'],
  problems: ['overloaded', 'unavailable', 'outcome_unknown'],
} as const satisfies Partial<Operation>

const submitNotify = {
  ...SUBMISSION,
  summary: notify.title,
  description: notify.description,
  body: { content: jsonOrForm(inputOf('notify'), { example: notify.example }) },
  responses: {
    202: {
      description: 'Accepted: the task is committed.',
      headers: ['Location', 'Idempotent-Replayed'],
      content: {
        'application/json': {
          schema: notified,
          examples: { accepted: { task_id: EXAMPLE_ID, status: 'PENDING' } },
        },
      },
    },
  },
} satisfies Partial<Operation>

export const formOperations = {
  notify_without_slash: { ...submitNotify, route: 'POST /notify' },
  notify: { ...submitNotify, route: 'POST /notify/' },
  submit_form: {
    ...SUBMISSION,
    route: 'POST /submit_task',
    summary: 'Submit a task by form type',
    description:
      'The body contains `form_type` and the members of the input. A JSON body gets a JSON response, a form body a redirect to the page of the task.',
    body: {
      content: jsonOrForm(
        { oneOf: FORM_TYPES.map(formOf) },
        Object.fromEntries(FORM_TYPES.map((name) => [name, { form_type: name, ...FORMS[name].example }])),
      ),
    },
    responses: {
      202: {
        description: 'Accepted: the task is committed.',
        headers: ['Idempotent-Replayed'],
        content: {
          'application/json': {
            schema: formSubmitted,
            examples: { accepted: { task_id: EXAMPLE_ID, status_url: `/task_status/${EXAMPLE_ID}` } },
          },
        },
      },
      303: {
        description: 'Accepted from a form body: redirect to the page of the task.',
        headers: ['Location'],
      },
    },
  },
  submit_link: {
    ...SUBMISSION,
    route: 'GET /submit_task',
    summary: 'Submit `divide` with a link',
    description: 'Submits `divide` with GET, for links in browsers. HEAD and prefetch requests are rejected.',
    parameters: [
      { name: 'x', in: 'query', description: 'Dividend.', schema: { type: 'number', default: 10 } },
      {
        name: 'y',
        in: 'query',
        description: 'Divisor. The task fails if it is 0.',
        schema: { type: 'number', default: 2 },
      },
    ],
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
        content: {
          ...HTML_PAGE,
          'application/json': { schema: { $ref: '#/components/schemas/CheckedTask' } },
        },
      },
    },
    problems: ['unavailable'],
  },
} satisfies Operations

/** What /openapi.json says of the form endpoints. */
export const FORMS_OPENAPI: ProjectOperations = {
  tag: 'Form endpoints',
  description: 'Endpoints that accept JSON and HTML forms, and plain pages for browsers.',
  operations: formOperations,
  schemas: FORM_SCHEMAS,
}

function jsonOrForm(schema: Record<string, unknown>, examples: Record<string, unknown>) {
  const content = { schema, examples }
  return {
    'application/json': content,
    'application/x-www-form-urlencoded': content,
    'multipart/form-data': { schema },
  }
}

function formOf(name: FormType) {
  const formType = { properties: { form_type: { const: name } }, required: ['form_type'] }
  return { title: name, allOf: [inputOf(name), { type: 'object', ...formType }] }
}

/** Refers to the schema that the document has for the input of a definition, e.g. `NotifyInput`. */
function inputOf(name: string) {
  return { $ref: `#/components/schemas/${name[0]?.toUpperCase()}${name.slice(1)}Input` }
}
