// The load generator, a process of its own: reads one order as JSON from its argument, prints one report as
// JSON and exits. It uses HTTP only, so that every system receives the same bytes from the same client.
import {
  buildRequest,
  type HttpConnection,
  type HttpResponse,
  openHttpConnection,
} from './http-connection.ts'
import { percentile } from './statistics.ts'

export interface LoadOrder {
  /**
   * `flood` submits as fast as the connections allow. `idle` submits a task and waits for its end before the
   * next.
   */
  kind: 'flood' | 'idle'
  port: number
  connections: number
  tasks: number
  /** Ends the run after this time, even if responses are outstanding. */
  limitMs: number
  /** Whether the report contains every accepted submission. */
  isDetailed?: boolean
}

export interface LoadReport {
  /**
   * Wall-clock times in milliseconds since 1970, so that another process can compare them with its own clock.
   */
  startedAt: number
  endedAt: number
  /** Submissions with the response 202; for `idle` only those whose task has also ended as SUCCESS. */
  accepted: number
  /** Counts of the other submissions by cause: a status or the message of a connection error. */
  refused: Record<string, number>
  /** Latency of the submission for `flood`, from the submission to the end of the task for `idle`. */
  p50Ms: number
  p99Ms: number
  /** Accepted submissions of a detailed report. */
  submissions?: Submission[]
}

export interface Submission {
  /** Wall-clock time of the request in milliseconds since 1970. */
  sentAt: number
  /** Milliseconds until the response. */
  ms: number
}

const TASK = JSON.stringify({ input: { text: 'A bee that has found something dances to tell the hive.' } })
const SUBMIT = buildRequest('POST', '/v1/tasks/reverse', TASK)

// `runLoad` in measure.ts writes the argument.
const order = JSON.parse(process.argv[2] ?? '') as LoadOrder
const report = await generate(order)
process.stdout.write(JSON.stringify(report), () => process.exit())

async function generate(order: LoadOrder): Promise<LoadReport> {
  const opening = Array.from({ length: order.connections }, () => openHttpConnection(order.port))
  const connections = await Promise.all(opening)
  const latencies: number[] = []
  const submissions: Submission[] = []
  const refused: Record<string, number> = {}
  const exchange = order.kind === 'flood' ? submit : submitAndWait
  const startedAt = now()
  const deadline = startedAt + order.limitMs
  let left = order.tasks
  const all = Promise.all(connections.map(sendUntilNoneLeft))
  const limit = new Promise<void>((resolve) => setTimeout(resolve, order.limitMs))
  await Promise.race([all, limit])
  const endedAt = now()
  // Ten minutes of a flood have millions of latencies. A typed array is sorted without a call per comparison.
  const ascending = Float64Array.from(latencies).sort()
  const accepted = ascending.length
  return {
    startedAt,
    endedAt,
    accepted,
    refused,
    p50Ms: percentile(ascending, 50),
    p99Ms: percentile(ascending, 99),
    ...(order.isDetailed ? { submissions } : {}),
  }

  async function sendUntilNoneLeft(first: HttpConnection) {
    let connection = first
    while (left > 0 && now() < deadline) {
      left--
      const sentAt = now()
      const problem = await exchange(connection).catch((error: Error) => error.message)
      if (problem === undefined) {
        const ms = now() - sentAt
        latencies.push(ms)
        if (order.isDetailed) submissions.push({ sentAt, ms })
        continue
      }
      refused[problem] = (refused[problem] ?? 0) + 1
      connection.close()
      connection = await openHttpConnection(order.port)
    }
  }
}

/** Resolves with undefined, or with the cause of the failure. */
async function submit(connection: HttpConnection): Promise<string | undefined> {
  const response = await connection.exchange(SUBMIT)
  return response.status === 202 ? undefined : `status ${response.status}`
}

async function submitAndWait(connection: HttpConnection): Promise<string | undefined> {
  const submitted = await connection.exchange(SUBMIT)
  if (submitted.status !== 202) return `status ${submitted.status}`
  const path = `/v1/tasks/${fieldOf(submitted, 'id')}?wait=10`
  const ended = await connection.exchange(buildRequest('GET', path))
  const status = fieldOf(ended, 'status')
  return status === 'SUCCESS' ? undefined : `ended as ${status}`
}

function fieldOf(response: HttpResponse, name: string): string {
  return String(JSON.parse(response.body.toString())[name])
}

function now(): number {
  return performance.timeOrigin + performance.now()
}
