// Runs a plan on a system with worker processes, and applies its faults to them.
import pg from 'pg'
import { createClient } from 'redis'
import { isAppError } from '../../../src/base/errors.ts'
import { pause } from '../../../src/base/loop.ts'
import { recoverTasksOf } from '../../../src/worker/crash-recovery.ts'
import { limitedName } from '../../support/limited-definitions.ts'
import { type TestSystem, until } from '../../support/system.ts'
import { spawnWorker, WITH_ISOLATED, type WorkerProcess } from '../../support/worker-process.ts'
import type { Burst, Fault, LimitPlan } from './limit-plan.ts'

// How long a stopping worker waits for its tasks: most of them are released.
const GRACE_MS = 30
const PAUSE_MS = 500

/** Submits the tasks of the plan and applies its faults. Resolves when all tasks have ended. */
export async function runPlan(system: TestSystem, plan: LimitPlan): Promise<void> {
  const { service } = system
  const ids: string[] = []
  const recoveries: Promise<unknown>[] = []
  const workers = await Promise.all(plan.slots.map(startWorker))
  const startedAtMs = Date.now()
  try {
    await Promise.all([inTime(plan.bursts, submit), inTime(plan.faults, apply)])
    await Promise.all(recoveries)
    await until(
      () => system.countByStatus(),
      ({ PENDING = 0, STARTED = 0, RETRY = 0 }) => PENDING + STARTED + RETRY === 0,
    )
    const codes = await Promise.all(workers.map((worker) => worker.terminate()))
    if (codes.some((code) => code !== 0)) throw new Error(`Exit codes of the workers: ${codes}`)
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()))
  }

  async function inTime<Item extends { atMs: number }>(
    items: Item[],
    handle: (item: Item) => Promise<unknown>,
  ): Promise<void> {
    for (const item of items) {
      await pause(Math.max(0, startedAtMs + item.atMs - Date.now()))
      await handle(item)
    }
  }

  function startWorker(concurrency: number): Promise<WorkerProcess> {
    const options = { concurrency, isolated: { ...WITH_ISOLATED.isolated, processes: 1 } }
    return spawnWorker(system, options, GRACE_MS, [], plan.definitions)
  }

  async function submit({ definition, count, key, ms, ends, priority, delayMs, expiresInMs }: Burst) {
    const options = {
      priority,
      ...(delayMs !== undefined && { runAt: new Date(Date.now() + delayMs) }),
      ...(expiresInMs !== undefined && { expiresAt: new Date(Date.now() + expiresInMs) }),
    }
    const submissions = Array.from({ length: count }, () =>
      service.submit(limitedName(definition), { key, ms, ends }, options).catch(duringOutage),
    )
    for (const task of await Promise.all(submissions)) if (task) ids.push(task.id)
  }

  async function apply({ kind, worker, share, from }: Fault): Promise<unknown> {
    const some = ids.slice(from * ids.length, (from + share) * ids.length)
    switch (kind) {
      case 'kill':
      case 'crash':
      case 'stop':
        return replaceWorker(worker % workers.length, kind)
      case 'flush Redis':
        return flushRedis(system)
      case 'restart Redis':
        process.kill(system.redis.pid, 'SIGKILL')
        return system.redis.restart()
      case 'pause the queue':
        return pauseQueue(system)
      case 'disconnect':
        return disconnect(system)
      case 'cancel':
        return service.cancelMany(some).catch(duringOutage)
      case 'retry':
        return service.retryMany(some).catch(duringOutage)
    }
  }

  async function replaceWorker(index: number, kind: 'kill' | 'crash' | 'stop') {
    const worker = workers[index] as WorkerProcess
    if (kind === 'stop') await worker.terminate()
    else await worker.kill()
    if (kind === 'crash') recoveries.push(recover(system, worker))
    workers[index] = await startWorker(plan.slots[index] as number)
  }
}

/** Puts back the tasks of a crashed worker, as its supervisor does. */
async function recover({ database }: TestSystem, { workerId }: WorkerProcess): Promise<void> {
  const call = { databaseUrl: database.url, workerId, isCrash: true }
  while ((await recoverTasksOf(call).catch(duringOutage)) === undefined);
}

/** Handles an error of a call during a fault. The call may have been executed. */
function duringOutage(error: unknown): undefined {
  if (!isAppError(error, 'unavailable') && !isAppError(error, 'outcome_unknown')) throw error
}

async function flushRedis({ redis }: TestSystem) {
  const client = await createClient({ url: redis.url }).connect()
  await client.flushAll()
  client.destroy()
}

async function pauseQueue(system: TestSystem) {
  await changeQueue('pause')
  await pause(PAUSE_MS)
  await changeQueue('resume')

  async function changeQueue(action: 'pause' | 'resume') {
    await until(
      () => system.request('POST', `/v1/queues/default/${action}`),
      ({ status }) => status === 200,
    )
  }
}

/** Closes all connections to the database that API and workers have now. */
async function disconnect({ database }: TestSystem) {
  await withClient(database.url, (client) =>
    client.query(`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'waggle' and datname = current_database()`),
  )
}

/** Calls `work` with a connection of its own to a database. */
export async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
