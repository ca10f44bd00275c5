// One worker process of a supervisor.
import { closeParts, openParts, refuseUnsuitableDatabase, startActivityFlush } from '../assembly.ts'
import type { Environment } from '../config.ts'
import { CRASHED } from '../processes/crash-notices.ts'
import { connectParent, endWithParent } from '../processes/parent.ts'
import { catchStrayErrors } from '../worker/attempts/stray-errors.ts'
import type { Worker } from '../worker/worker.ts'
import { lowerPriority } from '../worker/worker-priority.ts'
import { answersOf } from './process-answers.ts'
import { readArguments } from './process-arguments.ts'
import { readProjectConfig } from './project-config.ts'
import { runWorker, workerHealth } from './run-worker.ts'

export async function workerProcess(environment: Environment, args: string[]): Promise<void> {
  endWithParent()
  const { number, worker: id, parent: parentPid } = readArguments(args)
  const { config, project } = await readProjectConfig(environment, ['DATABASE_URL', 'REDIS_URL'])
  lowerPriority(config.WORKER_NICE)
  // A worker serves no API requests, so it needs no rate limiter.
  const settings = { ...config, RATE_LIMIT: undefined }
  const parts = await openParts(settings, project, { role: 'worker', process: number })
  await refuseUnsuitableDatabase(parts)
  const activity = startActivityFlush(parts)
  const worker = runWorker(config, parts, { role: 'worker', id, parentPid })
  catchStrayErrors(worker.handleStrayError)
  const { parent, stopAndExit } = connectParent({
    answers: answersOf(workerHealth(config, parts, worker), parts.metrics),
    async stop() {
      const hasReleasedAll = await worker.stop(config.SHUTDOWN_GRACE_SECONDS * 1_000)
      await activity.stop()
      await closeParts(parts)
      return { hasReleasedAll, metrics: await parts.metrics.counters() }
    },
    onNotice(notice, value) {
      // The supervisor, which sends it, runs the same code.
      if (notice === CRASHED) worker.reportCrashes(value as Parameters<Worker['reportCrashes']>[0])
    },
  })
  void worker.failed.then(() => stopAndExit(1))
  // Sent in the same turn of the event loop in which the worker was started. So a process that was not ready
  // has claimed no task.
  await parent.ready()
}
