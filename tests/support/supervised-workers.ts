// Runs workers with the test definitions under a supervisor, as the command `worker` does.
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { manageProcess } from '../../src/processes/managed-process.ts'
import { connectParent, endWithParent } from '../../src/processes/parent.ts'
import { createSupervisor, type Supervisor } from '../../src/processes/supervisor.ts'
import { recoverTasksOf } from '../../src/worker/crash-recovery.ts'
import type { WorkerOptions } from '../../src/worker/worker-options.ts'
import { CHILD_ENVIRONMENT } from './child-environment.ts'
import { OPTIONS, openTestWorker, type Settings, WITH_ISOLATED } from './worker-process.ts'

const SCRIPT = fileURLToPath(import.meta.url)
const STOP_MS = 30_000

export interface SupervisedWorkers extends Supervisor {
  /** Messages of the supervisor. */
  messages: string[]
}

/** Starts `count` worker processes with the isolated definitions. Resolves when all are ready. */
export async function superviseWorkers(
  system: { database: { url: string }; redis: { url: string } },
  count: number,
  options: Partial<WorkerOptions> = {},
): Promise<SupervisedWorkers> {
  const messages: string[] = []
  const write = (_fields: object, message: string) => void messages.push(message)
  const settings = { databaseUrl: system.database.url, redisUrl: system.redis.url }
  const supervisor = createSupervisor({
    roles: [{ name: 'worker', count, stopLimitMs: STOP_MS, fork: forkWorker }],
    log: { info: write, warn: write, error: write },
    recover: (workerId, isCrash) => recoverTasksOf({ databaseUrl: system.database.url, workerId, isCrash }),
  })
  if (!(await supervisor.start())) throw new Error('A worker process did not start')
  return { ...supervisor, messages }

  function forkWorker(number: number) {
    const id = randomUUID()
    const workerOptions = { ...OPTIONS, ...WITH_ISOLATED, ...options, id, parentPid: process.pid }
    const start = () =>
      fork(SCRIPT, [JSON.stringify({ ...settings, options: workerOptions })], {
        env: { ...process.env, ...CHILD_ENVIRONMENT },
        execArgv: [],
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      })
    return manageProcess(start, { name: `worker process ${number}`, workerId: id })
  }
}

async function run(settings: Omit<Settings, 'graceMs'>) {
  endWithParent()
  const { worker, connections } = await openTestWorker(settings)
  const { parent, stopAndExit } = connectParent({
    answers: {},
    async stop() {
      const hasReleasedAll = await worker.stop(STOP_MS / 3)
      await connections.close()
      return { hasReleasedAll }
    },
  })
  void worker.failed.then(() => stopAndExit(1))
  await parent.ready()
}

const [, script, settings] = process.argv
if (script === SCRIPT && settings) await run(JSON.parse(settings))
