// The command `dev` (`npm start`): API, worker and page, and edits of the project are loaded while it runs. One
// process, or a supervisor and its processes.
import type { Environment } from '../config.ts'
import { trackProjectModules } from '../project/project-modules.ts'
import { readProjectConfig, readSupervisorConfig } from './project-config.ts'

// How long `dev` waits for running tasks when it stops. It is short, so that Ctrl-C does not wait for long
// tasks; they are released and run again at the next start.
const GRACE_SECONDS = 2

export async function dev(environment: Environment): Promise<void> {
  // Changes the environment itself, because isolated processes inherit it.
  environment.LOG_LEVEL ||= 'warn'
  const config = await readSupervisorConfig(environment, ['API_KEYS'])
  if (config.API_PROCESSES === 1 && config.WORKER_PROCESSES === 1) {
    const { runAlone } = await import('./dev-alone.ts')
    const modules = trackProjectModules()
    const load = () => readProjectConfig(environment, ['API_KEYS'])
    return runAlone(await load(), modules, load, GRACE_SECONDS * 1_000)
  }
  const { runSupervised } = await import('./dev-supervised.ts')
  return runSupervised(config, environment, GRACE_SECONDS)
}
