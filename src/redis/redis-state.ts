// Reads the state of a Redis server for `waggle doctor`. It changes nothing.
import { createClient } from 'redis'
import { clientOptionsOf } from './redis-url.ts'

export interface RedisState {
  /** For example `Redis 7.2.5` or `Valkey 8.0.1`. */
  server: string
  /** The version of Redis with which the server is compatible. */
  version: string
  isReplica: boolean
  /** Limit of the memory in bytes; 0 without a limit. */
  maxMemory: number
  /** What the server does when it has reached the limit; null if it does not tell. */
  policy: string | null
  /** How far the clock of this machine is ahead of that of the server, in milliseconds; negative if behind. */
  aheadMs: number
}

/** @throws Error if the server cannot be reached, or refuses the commands INFO and TIME */
export async function readRedisState(redisUrl: string): Promise<RedisState> {
  const options = clientOptionsOf(redisUrl)
  const client = createClient({ ...options, socket: { ...options.socket, reconnectStrategy: false } })
  // `connect` and the commands reject too. Without a listener the error would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    const info = parseInfo(await client.info())
    const before = Date.now()
    const [seconds, microseconds] = await client.sendCommand<string[]>(['TIME'])
    const aheadMs = (before + Date.now()) / 2 - Number(seconds) * 1_000 - Number(microseconds) / 1_000
    return {
      server: info.valkey_version ? `Valkey ${info.valkey_version}` : `Redis ${info.redis_version}`,
      version: info.redis_version ?? '',
      isReplica: info.role === 'slave',
      maxMemory: Number(info.maxmemory ?? 0),
      policy: info.maxmemory_policy ?? null,
      aheadMs,
    }
  } finally {
    client.destroy()
  }
}

/** Reads lines of the form `name:value`. */
function parseInfo(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\r\n').flatMap((line) => {
      const [, name = '', value = ''] = /^(\w+):(.*)$/.exec(line) ?? []
      return name ? [[name, value]] : []
    }),
  )
}
