// The command `worker`: a supervisor and WORKER_PROCESSES worker processes. The supervisor runs also for one
// process, because it puts the tasks of a crashed worker back.
import type { Environment } from '../config.ts'
import { lowerSessionPriority } from '../worker/worker-priority.ts'
import { readSupervisorConfig } from './project-config.ts'
import { supervise } from './supervise.ts'

export async function worker(environment: Environment): Promise<void> {
  const config = await readSupervisorConfig(environment, ['DATABASE_URL', 'REDIS_URL'])
  // Before the processes start: later this process is not alone in its session.
  lowerSessionPriority(config.WORKER_NICE)
  await supervise({
    name: 'worker-supervisor',
    config,
    environment,
    roles: ['worker'],
  })
}
