// Starts the worker of this process with the settings of the configuration.
import { availableParallelism } from 'node:os'
import { createHealthChecks, type HealthChecks } from '../api/health-checks.ts'
import type { Parts } from '../assembly.ts'
import { programPath, VERSION } from '../base/installation.ts'
import type { Config } from '../config.ts'
import { poolSizeOf } from '../worker/isolated/pool-size.ts'
import { startWorker, type Worker } from '../worker/worker.ts'
import type { WorkerOptions } from '../worker/worker-options.ts'
import { retentionOf } from './retention-settings.ts'

/**
 * The caller passes stray errors to the worker (`catchStrayErrors`).
 * @param own `role` of the process in its log lines; id of the worker and of the parent under a supervisor;
 *    whether no worker with other code runs
 */
export function runWorker(
  config: Config,
  parts: Parts,
  own: { role: string; id?: string; parentPid?: number; isOnlyVersion?: boolean },
): Worker {
  const { connections, registry, events } = parts
  return startWorker(connections, registry, events, {
    ...own,
    ...workerOptionsOf(config, parts),
    isolated: {
      script: programPath('isolated'),
      processes: poolSizeOf({
        requested: config.ISOLATED_PROCESSES,
        workers: config.WORKER_PROCESSES,
        cores: availableParallelism(),
        memoryLimit: process.constrainedMemory(),
        definitions: registry.all.filter(({ queue }) => config.WORKER_QUEUES.includes(queue)),
      }),
    },
  })
}

/** Returns the options of a worker, except those of its process and of its isolated processes. */
export function workerOptionsOf(
  config: Config,
  { services, project }: Pick<Parts, 'services' | 'project'>,
): WorkerOptions {
  return {
    services: services.services,
    hooks: project.config.hooks,
    queues: config.WORKER_QUEUES,
    concurrency: config.WORKER_CONCURRENCY,
    missingAfterMs: config.WORKER_MISSING_AFTER_SECONDS * 1_000,
    ...retentionOf(config),
    version: VERSION,
  }
}

export function workerHealth(config: Config, { connections }: Parts, worker: Worker): HealthChecks {
  const { database, queue } = connections
  return createHealthChecks({
    pingDatabase: database.ping,
    isRedisReady: () => config.WORKER_QUEUES.every((name) => queue.isReady(name)),
    isLive: worker.isBeating,
  })
}
