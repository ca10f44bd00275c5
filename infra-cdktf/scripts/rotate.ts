// Replaces the password of the database role or of Redis with a new random one, and rolls it out. Repeat the
// command after an interruption: it continues with the same password.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { runOnHosts } from './exec.ts'
import { findHosts, hostsOf } from './hosts.ts'
import { readRelease } from './release.ts'
import { type RolloutParts, rollOut } from './rollout.ts'
import { POLLING } from './run-command.ts'
import { putSecret, randomHex, readSecret, readSecretIfExists } from './secrets.ts'

const SECRETS = { database: 'DATABASE_PASSWORD', redis: 'REDIS_PASSWORD' } as const
export type Rotatable = keyof typeof SECRETS
export const ROTATABLE = Object.keys(SECRETS) as Rotatable[] // the keys of a literal

// ElastiCache changes a user within seconds.
const USER_TIMEOUT_MS = 10 * 60_000

/**
 * Rotates a password. No task is lost: Redis accepts both passwords meanwhile; the database role has one, so
 * until a host is rolled out, its containers keep their open connections but cannot open new ones.
 * @throws Error if a step fails; the same command continues
 */
export async function rotate(parts: RolloutParts, what: Rotatable): Promise<void> {
  const { aws, config, print } = parts
  const { current } = await readRelease(aws, config.name)
  if (!current) throw new Error('There is no release yet, so no host uses the password')
  const { oldPassword, newPassword, finish } = await begin(parts, SECRETS[what])
  const setPasswords = what === 'redis' ? setterOf(parts) : async () => {}
  print(`1/3 ${what}: a new password is in Parameter Store`)
  await setPasswords([oldPassword, newPassword])
  print(`2/3 Rolling out ${current} again, with the new password`)
  await rollOut(parts, current)
  await setPasswords([newPassword])
  await finish()
  print(`3/3 ${what}: only the new password is valid`)
}

/**
 * Stores the old password first, then the new one. If both are equal, an earlier run was interrupted between
 * the two.
 */
async function begin({ aws, config, print }: RolloutParts, secret: string) {
  const { paths } = namesOf(config.name)
  const [marker, name] = [`${paths.rotation}/${secret}`, `${paths.app}/${secret}`]
  const interrupted = await readSecretIfExists(aws, marker)
  const stored = await readSecret(aws, name)
  const oldPassword = interrupted ?? stored
  let newPassword = stored
  if (interrupted === undefined) await putSecret(aws, config, marker, oldPassword, false)
  if (stored === oldPassword) {
    newPassword = randomHex(24)
    await putSecret(aws, config, name, newPassword, true)
  } else {
    print('Continuing a rotation that was interrupted')
  }
  return { oldPassword, newPassword, finish: () => aws(['ssm', 'delete-parameters', '--names', marker]) }
}

/** Returns a function that makes Redis accept exactly the given passwords. */
function setterOf(parts: RolloutParts): (passwords: string[]) => Promise<void> {
  const { redisRole } = topologyOf(parts.config)
  return redisRole
    ? (passwords) => setOnHost(parts, redisRole, passwords.length > 1 ? 'add' : 'set')
    : (passwords) => setInCache(parts, passwords)
}

/**
 * Runs host/redis-password.sh on the host of Redis. The script reads the new password from Parameter Store.
 */
async function setOnHost(
  parts: RolloutParts,
  role: NonNullable<ReturnType<typeof topologyOf>['redisRole']>,
  step: 'add' | 'set',
): Promise<void> {
  const hosts = hostsOf(await findHosts(parts.aws, parts.config.name), role)
  if (hosts.length === 0) throw new Error(`No host of ${parts.config.name} runs Redis`)
  const code = await runOnHosts(parts, hosts, `host/redis-password.sh ${step}`)
  if (code !== 0) throw new Error(`redis-password.sh ${step} failed with exit code ${code}`)
}

/** Sets the passwords of the ElastiCache user, which can have two. */
async function setInCache({ aws, config, polling = POLLING }: RolloutParts, Passwords: string[]) {
  const UserId = namesOf(config.name).cache
  await untilActive()
  await aws(['elasticache', 'modify-user'], { UserId, AuthenticationMode: { Type: 'password', Passwords } })
  await untilActive()

  async function untilActive(): Promise<void> {
    const deadline = Date.now() + USER_TIMEOUT_MS
    for (;;) {
      const response = await aws(['elasticache', 'describe-users', '--user-id', UserId])
      const status = usersResponse.parse(response).Users[0].Status
      if (status === 'active') return
      if (Date.now() > deadline) throw new Error(`The ElastiCache user ${UserId} is still ${status}`)
      await pause(polling.pollMs)
    }
  }
}

const usersResponse = z.object({ Users: z.tuple([z.object({ Status: z.string() })]) })
