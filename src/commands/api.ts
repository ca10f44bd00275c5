// The command `api`: the API in this process, or with API_PROCESSES above 1 a supervisor and its processes.
import { type Environment, readConfig } from '../config.ts'

export async function api(environment: Environment): Promise<void> {
  const config = readConfig(environment, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
  if (config.API_PROCESSES === 1) return (await import('./api-process.ts')).runApi(config)
  const { supervise } = await import('./supervise.ts')
  const { warnWithoutKeys } = await import('./api-warning.ts')
  const { url } = await supervise({ name: 'api-supervisor', config, environment, roles: ['api'] })
  warnWithoutKeys(config)
  process.stdout.write(`API is ready: ${url}\n`)
}
