// Secrets of an environment: made once, at random, straight into Parameter Store. They are in no file, no state of
// Terraform and no list of processes, and what is there already is never overwritten.
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../src/config/schema.ts'
import { namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { type Aws, AwsError } from './aws.ts'

/** @returns what was made, by name; and the operator's API key, when it was: it is kept nowhere */
export async function initSecrets(
  aws: Aws,
  config: Config,
): Promise<{ made: string[]; operatorKey?: string }> {
  const { paths, cache } = namesOf(config.name)
  const { apiRole } = topologyOf(config)
  const rolePath = paths.role(apiRole)
  const made: string[] = []

  await make(`${paths.app}/DATABASE_PASSWORD`, randomHex(24))
  await make(`${paths.app}/REDIS_PASSWORD`, randomHex(24))
  await make(`${paths.app}/WEBHOOK_SECRET`, `whsec_${randomBytes(32).toString('base64')}`)
  const operatorKey = await makeApiKeys()
  if (config.cache.kind === 'elasticache') await giveCachePassword(cache)
  return operatorKey === undefined ? { made } : { made, operatorKey }

  async function make(Name: string, Value: string, Overwrite = false): Promise<boolean> {
    try {
      await aws(['ssm', 'put-parameter'], { Name, Value, Type: 'SecureString', Overwrite })
      made.push(Name)
      return true
    } catch (error) {
      if (error instanceof AwsError && error.code === 'ParameterAlreadyExists') return false
      throw error
    }
  }

  /** One for people, one for the smoke test, one for the timer. What lets them in comes last: it must fit them. */
  async function makeApiKeys(): Promise<string | undefined> {
    if (await exists(`${rolePath}/API_KEYS`)) return undefined
    // Of the other layout: who had a key keeps it.
    const otherPath = paths.role(apiRole === 'app' ? 'api' : 'app')
    if (await exists(`${otherPath}/API_KEYS`)) {
      for (const name of ['SMOKE_API_KEY', 'METRICS_API_KEY', 'API_KEYS'])
        await make(`${rolePath}/${name}`, await readSecret(aws, `${otherPath}/${name}`), true)
      return undefined
    }
    const [operator, smoke, metrics] = [createKey(), createKey(), createKey()]
    await make(smokeKeyOf(config), smoke.key, true)
    await make(`${rolePath}/METRICS_API_KEY`, metrics.key, true)
    const entries = [
      `operator:submit+read+operate:${operator.hash}`,
      `smoke:submit+read:${smoke.hash}`,
      `metrics:read:${metrics.hash}`,
    ]
    return (await make(`${rolePath}/API_KEYS`, entries.join(','))) ? operator.key : undefined
  }

  async function exists(name: string): Promise<boolean> {
    const answer = await aws(['ssm', 'get-parameters', '--names', name])
    return z.object({ Parameters: z.array(z.unknown()) }).parse(answer).Parameters.length > 0
  }

  /** The same for ElastiCache, where the user exists once it was applied. */
  async function giveCachePassword(userId: string): Promise<void> {
    const password = await readSecret(aws, `${paths.app}/REDIS_PASSWORD`)
    try {
      const AuthenticationMode = { Type: 'password', Passwords: [password] }
      await aws(['elasticache', 'modify-user'], { UserId: userId, AuthenticationMode })
      made.push(`the password of the user ${userId} of ElastiCache`)
    } catch (error) {
      if (error instanceof AwsError && error.code === 'UserNotFound')
        throw new Error(`The user ${userId} of ElastiCache is not there yet: apply, and run this again`, {
          cause: error,
        })
      throw error
    }
  }
}

/** Where the key of the smoke test is. */
export const smokeKeyOf = (config: Config) =>
  `${namesOf(config.name).paths.role(topologyOf(config).apiRole)}/SMOKE_API_KEY`

/** @throws AwsError where it is not there */
export async function readSecret(aws: Aws, name: string): Promise<string> {
  const answer = await aws(['ssm', 'get-parameter', '--with-decryption', '--name', name])
  return z.object({ Parameter: z.object({ Value: z.string() }) }).parse(answer).Parameter.Value
}

const randomHex = (bytes: number) => randomBytes(bytes).toString('hex')

/** As `npm run keys` makes them: the key for the client, and the hash that lets it in. */
function createKey(): { key: string; hash: string } {
  const key = `wgl_${randomBytes(32).toString('base64url')}`
  return { key, hash: createHash('sha256').update(key).digest('hex') }
}
