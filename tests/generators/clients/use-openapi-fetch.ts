// A client as users write it, with the types that openapi-typescript generates. The test compiles and runs it.
import createClient from 'openapi-fetch'
import type { components, paths } from './openapi.js'

export async function use(baseUrl: string, apiKey: string, unknownId: string) {
  const client = createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${apiKey}` },
    // openapi-fetch does not read the document when it runs, so it is told how the API takes `input`.
    querySerializer: { object: { style: 'form', explode: true } },
  })

  const { data: submitted, error } = await client.POST('/v1/tasks/reverse', {
    body: { input: { text: 'Waggle' }, options: { tags: ['openapi-fetch'] } },
  })
  if (!submitted) throw new Error(error.detail)
  const early: string | undefined = submitted.result?.text

  const { data: finished } = await client.GET('/v1/tasks/{id}', {
    params: { path: { id: submitted.id }, query: { wait: 20 } },
  })
  const status: components['schemas']['Status'] | undefined = finished?.status

  const { data: page } = await client.GET('/v1/tasks', {
    params: {
      query: {
        tag: 'openapi-fetch',
        status: ['SUCCESS', 'FAILURE'],
        input: { 'input.text': 'Waggle' },
      },
    },
  })

  const { error: problem } = await client.GET('/v1/tasks/{id}', { params: { path: { id: unknownId } } })
  const isUnknown = problem?.type === 'urn:waggle:problem:unknown_task'

  const { error: refused } = await client.POST('/v1/tasks/divide', {
    // @ts-expect-error the input of divide has numbers
    body: { input: { x: 'one', y: 2 } },
  })
  const pointers = refused?.errors?.map(({ pointer }) => pointer)

  return { early, status, result: finished?.result, ids: page?.data.map(({ id }) => id), isUnknown, pointers }
}
