// Parses the URL of a Redis server, for the two Redis clients: that of Bee-Queue and the `redis` package.
import type { RedisClientOptions } from 'redis'

export interface RedisAddress {
  /** Host name or IP address. An IPv6 address has no brackets. */
  host: string
  port: number
  username?: string
  password?: string
  /** Number of the database. */
  database?: number
  /** Whether the connection uses TLS: `rediss://`. */
  isTls: boolean
}

/** @param redisUrl `redis://…` or `rediss://…`, as validated by config.ts */
export function parseRedisUrl(redisUrl: string): RedisAddress {
  const url = new URL(redisUrl)
  return {
    // A URL writes an IPv6 address in brackets. Both Redis clients would look it up as a host name.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(url.pathname.length > 1 && { database: Number(url.pathname.slice(1)) }),
    isTls: url.protocol === 'rediss:',
  }
}

/** Options of the `redis` package for this server, with reconnects after up to 2 s. */
export function clientOptionsOf(redisUrl: string): RedisClientOptions {
  const { host, port, username, password, database, isTls } = parseRedisUrl(redisUrl)
  return {
    socket: {
      host,
      port,
      ...(isTls && { tls: true }),
      reconnectStrategy: (tries: number) => Math.min(tries * 100, 2_000),
      connectTimeout: 5_000,
    },
    username,
    password,
    database,
  }
}
