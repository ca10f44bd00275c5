// The folder of the collection with the requests of the routes of a project.
import type { ExampleRequest, Operation } from '../api/openapi/operation.ts'
import type { ProjectRoutes } from '../api/project-routes.ts'
import type { MakeRequest, PostmanFolder } from './request.ts'

/** Returns no folder if the project has no routes or does not describe them. */
export function createProjectFolder(
  make: MakeRequest,
  { openapi, requests }: Pick<ProjectRoutes, 'openapi' | 'requests'>,
): PostmanFolder[] {
  if (!openapi) return []
  const all =
    requests ?? Object.entries(openapi.operations).map(([id, operation]) => requestOf(id, operation))
  return [{ name: openapi.tag, item: all.flatMap((request) => make(request)) }]
}

/** Returns a request with the first example of the body, and the defaults of the parameters. */
function requestOf(operationId: string, operation: Operation): ExampleRequest {
  const { summary, body, responses, parameters = [] } = operation
  const [example] = Object.values(body?.content['application/json']?.examples ?? {})
  const defaults = parameters.flatMap((parameter) =>
    typeof parameter === 'object' && parameter.in === 'query' && 'default' in parameter.schema
      ? [[parameter.name, String(parameter.schema.default)]]
      : [],
  )
  return {
    name: summary,
    operationId,
    status: Math.min(...Object.keys(responses).map(Number)),
    ...(parameters.includes('TaskId') && { path: { id: '{{taskId}}' } }),
    ...(defaults.length > 0 && { query: Object.fromEntries(defaults) }),
    ...(example !== undefined && { json: example }),
  }
}
