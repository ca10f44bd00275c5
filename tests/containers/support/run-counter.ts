// Counts how often each task has actually run. The tasks are of the definition `http_request` and call a
// server in the network of the stack. Every run of a task sends the same Idempotency-Key, by which the server
// counts. The number of attempts is not exact: a claim that returns when its worker begins to stop is
// released, so this attempt never ran.
import { docker } from './docker.ts'
import type { Stack } from './stack.ts'

export interface RunCounter {
  /** The task to submit. */
  task: { name: string; input: unknown }
  /** The number of runs by task id. */
  runs(): Promise<Record<string, number>>
  remove(): Promise<void>
}

/** The host name of the server. HTTP_REQUEST_ALLOW of the stack must contain it. */
export const COUNTER_HOST = 'counter.internal'

const SERVER = `
const runs = {}
require('node:http').createServer((request, response) => {
  const id = request.headers['idempotency-key']
  if (id) runs[id] = (runs[id] ?? 0) + 1
  response.end(id ? undefined : JSON.stringify(runs))
}).listen(8080)`
const READ = "fetch('http://127.0.0.1:8080').then((response) => response.text()).then(console.log)"

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
