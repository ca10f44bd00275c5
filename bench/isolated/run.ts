// The first part of `npm run bench:isolated`: what an isolated process costs, i.e. the added time per
// attempt, the attempts per second of a whole worker, and the memory of a process. It takes about a minute.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { pause } from '../../src/base/loop.ts'
import { openConnections } from '../../src/connections.ts'
import { DEFAULT_ISOLATION } from '../../src/definitions/define.ts'
import { createEnqueuer } from '../../src/service/enqueuer.ts'
import { createTaskService } from '../../src/service/task-service.ts'
import type { ClaimedTask } from '../../src/store/claim.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { createIsolatedAttempts } from '../../src/worker/isolated/isolated-attempts.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { claimedTask } from '../../tests/support/claimed-task.ts'
import { type Store, startStores } from '../stores.ts'
import { createBenchRegistry } from './definitions.ts'

const SCRIPT = fileURLToPath(new URL('./process.ts', import.meta.url))
const PROCESSES = availableParallelism()
const WARM_UP = 200
const TASKS = 4_000
const MAX_SECONDS = 120

await measureAttempts()
await measureTasks()

/** Runs attempts one after the other, without Postgres and Redis: the time of both ways through IPC. */
async function measureAttempts() {
  const events = createEvents()
  const isolated = createIsolatedAttempts({
    script: SCRIPT,
    size: 1,
    names: ['isolated_echo'],
    onLog: () => {},
    events,
  })
  const running = createRunningTasks()
  for (const [label, bytes, count] of [
    ['1 KiB', 1_024, 2_000],
    ['1 MiB', 1_024 * 1_024 - 2, 200],
  ] as const) {
    const input = 'x'.repeat(bytes)
    const times: number[] = []
    for (let index = 0; index < WARM_UP + count; index++) {
      const attempt = running.begin(claimed(input))
      if (!attempt) throw new Error('The attempt runs already')
      const startedMs = performance.now()
      const outcome = await isolated.perform(DEFAULT_ISOLATION, attempt)
      if (index >= WARM_UP) times.push(performance.now() - startedMs)
      running.end(attempt)
      if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome))
    }
    times.sort((a, b) => a - b)
    const at = (share: number) => times[Math.floor(share * times.length)]?.toFixed(2)
    print(`${label} of input and of result: added time per attempt p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
  }
  await isolated.stop()
}

/** Runs submitted tasks through a whole worker, in its own process and in isolated ones. */
async function measureTasks() {
  const stores = await startStores()
  try {
    for (const name of ['echo', 'isolated_echo']) {
      const store = await stores.open(name)
      await measureWorker(store, name)
      await store.close()
    }
  } finally {
    await stores.stop()
  }
}

async function measureWorker({ databaseUrl, redisUrl }: Store, name: string) {
  const events = createEvents()
  const connections = await openConnections({ databaseUrl, redisUrl }, events)
  await connections.database.migrate()
  const registry = createBenchRegistry()
  const { taskStore: store, taskReader, dispatchStore, limitStore, uniqueStore, queue, signals } = connections
  const service = createTaskService({
    registry,
    store,
    limitStore,
    uniqueStore,
    find: taskReader.find,
    findBytes: taskReader.findBytes,
    enqueuer: createEnqueuer({ queue, dispatchStore, limitStore, signals, events }),
    queue,
    signals,
    events,
  })
  let finished = 0
  events.on('task.finished', () => finished++)
  const worker = startWorker(connections, registry, events, {
    queues: ['default'],
    concurrency: 20,
    version: 'bench',
    missingAfterMs: 15_000,
    isolated: { script: SCRIPT, processes: PROCESSES },
  })
  await pause(2_000)
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: TASKS }, () => service.submit(name, 'x'.repeat(1_024))))
  while (finished < TASKS && performance.now() - startedMs < MAX_SECONDS * 1_000) await pause(5)
  const seconds = (performance.now() - startedMs) / 1_000
  const memory = isolatedMemoryMb()
  print(
    `${name}: ${finished} tasks of 1 KiB in ${seconds.toFixed(1)} s, ${(finished / seconds).toFixed(0)} tasks/s` +
      (memory.length > 0 ? `; memory of ${memory.length} processes: ${memory.join(', ')} MB` : ''),
  )
  await worker.stop(1_000)
  await connections.close()
}

function isolatedMemoryMb(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  return children
    .filter((pid) => commandLineOf(pid).includes(SCRIPT))
    .map((pid) =>
      Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024),
    )
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function claimed(input: string): ClaimedTask {
  return claimedTask({ name: 'isolated_echo', input, timeoutMs: 60_000 })
}

function print(line: string) {
  process.stdout.write(`${line}\n`)
}
