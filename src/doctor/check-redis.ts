// Checks the Redis server: version, memory policy and clock.
import { messageOf } from '../base/errors.ts'
import { type RedisState, readRedisState } from '../redis/redis-state.ts'
import { type Check, checkClock, ok, wrong } from './check.ts'

// The oldest supported version of Redis. All versions of Valkey are compatible with a newer one.
const OLDEST = [6, 2] as const
const MIB = 1024 * 1024

export async function checkRedis(url: string): Promise<Check[]> {
  let state: RedisState
  try {
    state = await readRedisState(url)
  } catch (error) {
    return [wrong(`Redis cannot be used: ${messageOf(error)}. Check REDIS_URL, and that the server runs`)]
  }
  return [checkServer(state), checkMemory(state), checkClock('Redis', state.aheadMs)]
}

function checkServer({ server, version, isReplica }: RedisState): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    return wrong(`${server} is not supported: use Redis ${OLDEST.join('.')} or newer, or Valkey`)
  if (isReplica) return wrong(`${server} is a replica: let REDIS_URL lead to the primary server`)
  return ok(`${server} is reachable`)
}

function checkMemory({ maxMemory, policy }: RedisState): Check {
  // Without a limit, Redis removes nothing.
  if (maxMemory === 0) return ok('Redis has no memory limit (maxmemory 0)')
  const limit = `maxmemory is ${Math.round(maxMemory / MIB)} MiB`
  if (policy === 'noeviction') return ok(`Redis removes no keys: ${limit}, its policy is noeviction`)
  return wrong(
    `Redis may remove keys of Waggle: ${limit}, its policy is ${policy ?? 'unknown'}. Set maxmemory-policy to noeviction`,
  )
}
