// Counts how often a task has really run: tasks `http_request` to a server beside the stack, which tells them by the
// Idempotency-Key that every run of a task sends. The number of attempts would not do: a claim that is answered when its
// worker begins to stop is given back, and counts as an attempt that never ran.
import { docker } from './docker.ts'
import type { Stack } from './stack.ts'

export interface RunCounter {
  /** What to submit. */
  task: { name: string; input: unknown }
  /** Runs by the id of their task. */
  runs(): Promise<Record<string, number>>
  remove(): Promise<void>
}

/** The name that the stack's HTTP_REQUEST_ALLOW has to hold. */
export const COUNTER_HOST = 'counter.internal'

const SERVER = `
const runs = {}
require('node:http').createServer((request, response) => {
  const id = request.headers['idempotency-key']
  if (id) runs[id] = (runs[id] ?? 0) + 1
  response.end(id ? undefined : JSON.stringify(runs))
}).listen(8080)`
const READ = "fetch('http://127.0.0.1:8080').then((answer) => answer.text()).then(console.log)"

export async function startRunCounter({ project }: Stack): Promise<RunCounter> {
  const name = `${project}-counter`
  const network = ['--network', project, '--network-alias', COUNTER_HOST]
  const image = ['--entrypoint', 'node', `${project}/app:first`]
  await docker(['run', '-d', '--rm', '--init', '--name', name, ...network, ...image, '-e', SERVER])
  return {
    task: { name: 'http_request', input: { url: `http://${COUNTER_HOST}:8080/` } },
    runs: async () => JSON.parse(await docker(['exec', name, 'node', '-e', READ])),
    remove: async () => void (await docker(['rm', '-f', name])),
  }
}
