// A client as users write it, with the functions that hey-api generates. The test compiles and runs it.
import { client } from './hey-api/client.gen.js'
import { getTask, listTasks, type Status, submitDivide, submitReverse } from './hey-api/index.js'

export async function use(baseUrl: string, apiKey: string, unknownId: string) {
  client.setConfig({ baseUrl, headers: { Authorization: `Bearer ${apiKey}` } })

  const { data: submitted, error } = await submitReverse({
    body: { input: { text: 'Waggle' }, options: { tags: ['hey-api'] } },
  })
  if (!submitted) throw new Error(error.detail)
  const early: string | undefined = submitted.result?.text

  const { data: finished } = await getTask({ path: { id: submitted.id }, query: { wait: 20 } })
  const status: Status | undefined = finished?.status

  const { data: page } = await listTasks({
    query: { tag: 'hey-api', status: ['SUCCESS', 'FAILURE'], input: { 'input.text': 'Waggle' } },
  })

  const { error: problem } = await getTask({ path: { id: unknownId } })
  const isUnknown = problem?.type === 'urn:waggle:problem:unknown_task'

  const { error: refused } = await submitDivide({
    // @ts-expect-error the input of divide has numbers
    body: { input: { x: 'one', y: 2 } },
  })
  const pointers = refused?.errors?.map(({ pointer }) => pointer)

  return { early, status, result: finished?.result, ids: page?.data.map(({ id }) => id), isUnknown, pointers }
}
