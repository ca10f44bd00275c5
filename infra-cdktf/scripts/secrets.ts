// Creates the random secrets of an environment in Parameter Store. They appear in no Terraform state and no
// process list. Only a temporary file, which only this user can read, passes them to the AWS CLI. Secrets
// that are in use are never overwritten.
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../src/config/schema.ts'
import { namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { type Aws, AwsError, orMissing } from './aws.ts'

/** Creates missing secrets. @returns their names, and a new operator API key, which is stored nowhere */
export async function initSecrets(
  aws: Aws,
  config: Config,
): Promise<{ created: string[]; operatorKey?: string }> {
  const { paths, cache } = namesOf(config.name)
  const { apiRole } = topologyOf(config)
  const rolePath = paths.role(apiRole)
  const created: string[] = []

  await create(`${paths.app}/DATABASE_PASSWORD`, randomHex(24))
  await create(`${paths.app}/REDIS_PASSWORD`, randomHex(24))
  await create(`${paths.app}/WEBHOOK_SECRET`, `whsec_${randomBytes(32).toString('base64')}`)
  const operatorKey = await createApiKeys()
  // During a rotation the user has two passwords; scripts/rotate.ts removes the old one at its end.
  if (config.cache.kind === 'elasticache' && !(await exists(`${paths.rotation}/REDIS_PASSWORD`)))
    await setCachePassword(cache)
  return operatorKey === undefined ? { created } : { created, operatorKey }

  async function create(Name: string, Value: string, Overwrite = false): Promise<boolean> {
    try {
      await putSecret(aws, config, Name, Value, Overwrite)
      created.push(Name)
      return true
    } catch (error) {
      if (error instanceof AwsError && error.code === 'ParameterAlreadyExists') return false
      throw error
    }
  }

  /**
   * Creates keys for the operator, the smoke test and the metrics timer. API_KEYS, which contains their
   * hashes, is written last: after an interruption the next run creates all three keys again.
   */
  async function createApiKeys(): Promise<string | undefined> {
    if (await exists(`${rolePath}/API_KEYS`)) return undefined
    // The environment had the other topology before: copy its keys, so that existing keys stay valid.
    const otherPath = paths.role(apiRole === 'app' ? 'api' : 'app')
    if (await exists(`${otherPath}/API_KEYS`)) {
      for (const name of ['SMOKE_API_KEY', 'METRICS_API_KEY', 'API_KEYS'])
        await create(`${rolePath}/${name}`, await readSecret(aws, `${otherPath}/${name}`), true)
      return undefined
    }
    const [operator, smoke, metrics] = [createKey(), createKey(), createKey()]
    await create(smokeKeyOf(config), smoke.key, true)
    await create(`${rolePath}/METRICS_API_KEY`, metrics.key, true)
    const entries = [
      `operator:submit+read+operate:${operator.hash}`,
      `smoke:submit+read:${smoke.hash}`,
      `metrics:read:${metrics.hash}`,
    ]
    return (await create(`${rolePath}/API_KEYS`, entries.join(','))) ? operator.key : undefined
  }

  async function exists(name: string): Promise<boolean> {
    const response = await aws(['ssm', 'get-parameters', '--names', name])
    return z.object({ Parameters: z.array(z.unknown()) }).parse(response).Parameters.length > 0
  }

  /** Sets the password of the ElastiCache user. @throws Error if the stack was not applied yet */
  async function setCachePassword(userId: string): Promise<void> {
    const password = await readSecret(aws, `${paths.app}/REDIS_PASSWORD`)
    try {
      const AuthenticationMode = { Type: 'password', Passwords: [password] }
      await aws(['elasticache', 'modify-user'], { UserId: userId, AuthenticationMode })
      created.push(`the password of the ElastiCache user ${userId}`)
    } catch (error) {
      if (error instanceof AwsError && error.code === 'UserNotFound')
        throw new Error(
          `The ElastiCache user ${userId} does not exist; apply the stack, then run this again`,
          {
            cause: error,
          },
        )
      throw error
    }
  }
}

/** Name of the parameter with the API key of the smoke test. */
export const smokeKeyOf = (config: Config) =>
  `${namesOf(config.name).paths.role(topologyOf(config).apiRole)}/SMOKE_API_KEY`

/** Reads a SecureString. @throws AwsError if it does not exist */
export async function readSecret(aws: Aws, name: string): Promise<string> {
  const response = await aws(['ssm', 'get-parameter', '--with-decryption', '--name', name])
  return parameterResponse.parse(response).Parameter.Value
}

/** Reads a SecureString, or returns undefined if it does not exist. */
export async function readSecretIfExists(aws: Aws, name: string): Promise<string | undefined> {
  const response = await orMissing(
    aws(['ssm', 'get-parameter', '--with-decryption', '--name', name]),
    /^ParameterNotFound$/,
  )
  return response === undefined ? undefined : parameterResponse.parse(response).Parameter.Value
}

const parameterResponse = z.object({ Parameter: z.object({ Value: z.string() }) })

/** Writes a SecureString. @throws AwsError `ParameterAlreadyExists` without `Overwrite` */
export async function putSecret(
  aws: Aws,
  { name, kms }: Config,
  Name: string,
  Value: string,
  Overwrite: boolean,
): Promise<void> {
  // Without a key Parameter Store uses the one of AWS, also if it overwrites a value that had another key.
  const key = kms === 'cmk' ? { KeyId: `alias/${namesOf(name).prefix}` } : {}
  await aws(['ssm', 'put-parameter'], { Name, Value, Type: 'SecureString', Overwrite, ...key })
}

export const randomHex = (bytes: number) => randomBytes(bytes).toString('hex')

/** Creates an API key in the format of `npm run keys`. Clients send the key; API_KEYS contains its hash. */
function createKey(): { key: string; hash: string } {
  const key = `wgl_${randomBytes(32).toString('base64url')}`
  return { key, hash: createHash('sha256').update(key).digest('hex') }
}
