// `node bench/hardening/large-results.ts` measures the memory of a worker whose tasks return 1 MB each while
// Postgres takes 200 ms to write a result. It prints one line and stops after 30 seconds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { openConnections } from '../../src/connections.ts'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry } from '../../src/definitions/registry.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { startStores } from '../stores.ts'

const SECONDS = 30
const TASKS = 2_000
const RESULT_BYTES = 1_000_000
const SLOTS = 20

interface Addresses {
  databaseUrl: string
  redisUrl: string
}

const fill = defineTask({
  name: 'fill',
  title: 'Returns a large result',
  description: 'for the bench',
  input: z.object({}),
  output: z.string(),
  example: {},
  run: async () => 'x'.repeat(RESULT_BYTES),
})

const [, , addresses] = process.argv
if (addresses) await runWorker(JSON.parse(addresses))
else await measure()

async function measure() {
  const stores = await startStores()
  const store = await stores.open('large_results')
  try {
    const { peakMb, returned, done } = await runSlowly(store)
    process.stdout.write(
      `${SLOTS} slots, results of 1 MB, 200 ms per result: peak RSS of the worker ${peakMb.toFixed(0)} MB; ` +
        `${returned} handlers returned, ${done} results written in ${SECONDS} s\n`,
    )
  } finally {
    await store.close()
    await stores.stop()
  }
}

async function runSlowly({ databaseUrl, redisUrl }: Addresses) {
  const connections = await openConnections({ databaseUrl, redisUrl }, createEvents())
  const client = new pg.Client({ connectionString: databaseUrl })
  try {
    await connections.database.migrate()
    await client.connect()
    await client.query(`
      create function slow() returns trigger language plpgsql as $$
      begin
        perform pg_sleep(0.2);
        return new;
      end $$;
      create trigger slow before update on tasks for each row
      when (new.status = 'SUCCESS') execute function slow()`)
    // The tasks are not enqueued: the dispatcher of the worker does that.
    const runAt = new Date()
    const policy = { maxRetries: 3, timeoutMs: 60_000, tags: [], createdAt: runAt, runAt }
    await connections.taskStore.insertMany(
      Array.from({ length: TASKS }, () => ({
        id: newId(),
        name: 'fill',
        queue: 'default',
        input: {},
        ...policy,
      })),
    )
    const worker = spawn(
      process.execPath,
      ['--max-semi-space-size=64', fileURLToPath(import.meta.url), JSON.stringify({ databaseUrl, redisUrl })],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    let returned = 0
    createInterface({ input: worker.stdout }).on('line', (line) => (returned = Number(line)))
    await pause(SECONDS * 1_000)
    const peakMb = await peakMemoryMb(worker.pid)
    const { rows } = await client.query(`select count(*)::int as done from tasks where status = 'SUCCESS'`)
    worker.kill('SIGKILL')
    await once(worker, 'exit')
    return { peakMb, returned, done: rows[0].done }
  } finally {
    await client.end()
    await connections.close()
  }
}

async function runWorker({ databaseUrl, redisUrl }: Addresses) {
  const events = createEvents()
  const connections = await openConnections({ databaseUrl, redisUrl }, events)
  let started = 0
  events.on('task.started', () => process.stdout.write(`${++started}\n`))
  // The cast drops the types of input and output, which differ between definitions.
  startWorker(connections, createRegistry([fill as TaskDefinition]), events, {
    queues: ['default'],
    concurrency: SLOTS,
    version: 'bench',
    missingAfterMs: 15_000,
  })
  // Exits when the measuring process ends, even if that is killed.
  process.stdin.resume().once('close', () => process.exit(2))
}

async function peakMemoryMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024
}
