// The hidden command `recover-tasks`: puts back the tasks of a worker process that has ended, and sends them
// to the supervisor. It is a process of its own: a supervisor that loaded the code for it after an
// installation of another version would have modules of both versions, which do not fit together.
import type { Environment } from '../config.ts'
import { endWithParent } from '../processes/parent.ts'
import { recoverTasksOf } from '../worker/crash-recovery.ts'
import { readArguments } from './process-arguments.ts'

export async function recoverTasks(environment: Environment, args: string[]): Promise<void> {
  endWithParent()
  const { worker: workerId = '', crashed: isCrash = false } = readArguments(args)
  // The supervisor has checked the environment.
  const tasks = await recoverTasksOf({ databaseUrl: environment.DATABASE_URL ?? '', workerId, isCrash })
  process.send?.(tasks, () => process.exit(0))
}
