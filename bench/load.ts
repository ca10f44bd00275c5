// The load generator, a process of its own: takes one order as JSON, prints one report as JSON, and ends.
// It knows HTTP only, so every system gets the very same bytes from the very same client.
import { type Answer, buildRequest, type HttpConnection, openHttpConnection } from './http-connection.ts'
import { percentile } from './statistics.ts'

export interface LoadOrder {
  /** `flood`: as fast as the connections allow. `idle`: one task after another, each waited for. */
  kind: 'flood' | 'idle'
  port: number
  connections: number
  tasks: number
  /** Ends the run even if answers are outstanding. */
  limitMs: number
}

export interface LoadReport {
  /** Wall-clock times, so that another process can go on counting. */
  startedAt: number
  endedAt: number
  /** Submissions answered 202; for `idle` those that were also seen to end as SUCCESS. */
  accepted: number
  /** What was not: other statuses and broken connections, by name. */
  refused: Record<string, number>
  /** Of a submission for `flood`, from submit to done for `idle`. */
  p50Ms: number
  p99Ms: number
}

const TASK = JSON.stringify({ input: { text: 'A bee that has found something dances to tell the hive.' } })
const SUBMIT = buildRequest('POST', '/v1/tasks/reverse', TASK)

// Written by `runLoad` in measure.ts as exactly this.
const order = JSON.parse(process.argv[2] ?? '') as LoadOrder
const report = await generate(order)
process.stdout.write(JSON.stringify(report), () => process.exit())

async function generate(order: LoadOrder): Promise<LoadReport> {
  const opening = Array.from({ length: order.connections }, () => openHttpConnection(order.port))
  const connections = await Promise.all(opening)
  const latencies: number[] = []
  const refused: Record<string, number> = {}
  const exchange = order.kind === 'flood' ? submit : submitAndWait
  const startedAt = now()
  const deadline = startedAt + order.limitMs
  let left = order.tasks
  const all = Promise.all(connections.map(sendUntilNoneIsLeft))
  const limit = new Promise<void>((resolve) => setTimeout(resolve, order.limitMs))
  await Promise.race([all, limit])
  const endedAt = now()
  latencies.sort((a, b) => a - b)
  const accepted = latencies.length
  return {
    startedAt,
    endedAt,
    accepted,
    refused,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
  }

  async function sendUntilNoneIsLeft(first: HttpConnection) {
    let connection = first
    while (left > 0 && now() < deadline) {
      left--
      const sentAt = now()
      const problem = await exchange(connection).catch((error: Error) => error.message)
      if (problem === undefined) {
        latencies.push(now() - sentAt)
        continue
      }
      refused[problem] = (refused[problem] ?? 0) + 1
      connection.close()
      connection = await openHttpConnection(order.port)
    }
  }
}

/** Resolves with the name of the problem, if there was one. */
async function submit(connection: HttpConnection): Promise<string | undefined> {
  const answer = await connection.exchange(SUBMIT)
  return answer.status === 202 ? undefined : `status ${answer.status}`
}

async function submitAndWait(connection: HttpConnection): Promise<string | undefined> {
  const submitted = await connection.exchange(SUBMIT)
  if (submitted.status !== 202) return `status ${submitted.status}`
  const path = `/v1/tasks/${fieldOf(submitted, 'id')}?wait=10`
  const ended = await connection.exchange(buildRequest('GET', path))
  const status = fieldOf(ended, 'status')
  return status === 'SUCCESS' ? undefined : `ended as ${status}`
}

function fieldOf(answer: Answer, name: string): string {
  return String(JSON.parse(answer.body.toString())[name])
}

function now(): number {
  return performance.timeOrigin + performance.now()
}
