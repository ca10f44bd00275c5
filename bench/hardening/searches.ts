// `node bench/hardening/searches.ts` measures submissions while twenty clients search 100,000 tasks at once
// with `q=`. Prints one line.
import { pause } from '../../src/base/loop.ts'
import { buildRequest, type HttpConnection, openHttpConnection } from '../http-connection.ts'
import { startWaggleApi } from '../running-system.ts'
import { percentile } from '../statistics.ts'
import { startStores } from '../stores.ts'
import { insertFinishedTasks } from './finished-tasks.ts'

const TASKS = 100_000
const RESULT_BYTES = 2_400
const SEARCHES = 20
const SECONDS = 15
// Time between two submissions. A submission does not wait for the one before.
const SUBMIT_EVERY_MS = 20

interface Answer {
  status: number
  ms: number
}

const stores = await startStores()
try {
  const store = await stores.open('searches')
  const api = await startWaggleApi(store)
  try {
    await insertFinishedTasks(store.databaseUrl, TASKS, RESULT_BYTES)
    const alone = await measure(api.port, 0)
    const beside = await measure(api.port, SEARCHES)
    process.stdout.write(
      `${TASKS} tasks, ${SECONDS} s, ms p50/p99/max: submissions alone ${describe(alone.submissions)}; ` +
        `beside ${SEARCHES} searches ${describe(beside.submissions)}; searches ${describe(beside.searches)}\n`,
    )
  } finally {
    await api.stop()
    await store.close()
  }
} finally {
  await stores.stop()
}

async function measure(port: number, searching: number) {
  const untilMs = performance.now() + SECONDS * 1_000
  const [searches, submissions] = await Promise.all([
    Promise.all(Array.from({ length: searching }, (_, client) => search(port, client, untilMs))),
    submit(port, untilMs),
  ])
  return { searches: searches.flat(), submissions }
}

async function search(port: number, client: number, untilMs: number): Promise<Answer[]> {
  const connection = await openHttpConnection(port)
  const request = buildRequest('GET', `/v1/tasks?q=nowhere${client}`)
  const answers: Answer[] = []
  while (performance.now() < untilMs) answers.push(await send(connection, request))
  connection.close()
  return answers
}

async function submit(port: number, untilMs: number): Promise<Answer[]> {
  const idle: HttpConnection[] = []
  const sent: Promise<Answer>[] = []
  const request = buildRequest('POST', '/v1/tasks/reverse', '{"input":{"text":"abc"}}')
  while (performance.now() < untilMs) {
    const connection = idle.pop() ?? (await openHttpConnection(port))
    sent.push(
      send(connection, request).then((answer) => {
        idle.push(connection)
        return answer
      }),
    )
    await pause(SUBMIT_EVERY_MS)
  }
  const answers = await Promise.all(sent)
  for (const connection of idle) connection.close()
  return answers
}

async function send(connection: HttpConnection, request: Buffer): Promise<Answer> {
  const startMs = performance.now()
  const { status } = await connection.exchange(request)
  return { status, ms: performance.now() - startMs }
}

function describe(answers: Answer[]): string {
  const good = answers.filter(({ status }) => status < 300)
  const ascending = good.map(({ ms }) => ms).sort((a, b) => a - b)
  const [p50, p99, max] = [50, 99, 100].map((percent) => percentile(ascending, percent).toFixed(0))
  return `${p50}/${p99}/${max} (${good.length} answered, ${answers.length - good.length} refused)`
}
