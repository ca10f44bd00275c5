// The command `api`: the API in this process, or with API_PROCESSES above 1 a supervisor and its processes.
import type { Environment } from '../config.ts'
import { readProjectConfig, readSupervisorConfig } from './project-config.ts'

const REQUIRED = ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'] as const

export async function api(environment: Environment): Promise<void> {
  const config = await readSupervisorConfig(environment, [...REQUIRED])
  if (config.API_PROCESSES === 1) {
    const { config: whole, project } = await readProjectConfig(environment, [...REQUIRED])
    return (await import('./api-process.ts')).runApi(whole, project)
  }
  const { supervise } = await import('./supervise.ts')
  const { warnWithoutKeys } = await import('./api-warning.ts')
  const { url } = await supervise({ name: 'api-supervisor', config, environment, roles: ['api'] })
  warnWithoutKeys(config)
  process.stdout.write(`API is ready: ${url}\n`)
}
