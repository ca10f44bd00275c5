// Connects a Bee-Queue to Redis and keeps it connected. Defines types for the internals of Bee-Queue that its
// typings leave out.
import BeeQueue from 'bee-queue'
import lua from 'bee-queue/lib/lua/index.js'
import { pause } from '../../base/loop.ts'
import { startTimeLimit, type TimeLimit } from '../../base/time-limit.ts'
import { type BeeRole, settingsOf } from './settings.ts'

/**
 * Task references as they are stored in Redis: pairs instead of objects, because pairs are shorter as JSON,
 * and references are most of the traffic.
 */
export type Pairs = [id: string, attempt: number][]

/** Data of a Bee-Queue job, which is one delivery. */
export interface JobData {
  tasks: Pairs
}

// How long `close` waits for deliveries that are being handled.
const CLOSE_TIMEOUT_MS = 2_000

/**
 * Creates Bee-Queues until one has connected and loaded its scripts, and passes that one to `onConnected`.
 * A Bee-Queue whose first connection failed never recovers, so each try creates a new one.
 * @param signal ends the tries when it aborts
 */
export async function connect(
  role: BeeRole,
  kind: 'producer' | 'consumer',
  signal: AbortSignal,
  onConnected: (bee: BeeQueue) => void,
): Promise<void> {
  for (let tries = 1; !signal.aborted; tries++) {
    const bee = new BeeQueue(role.queueName, settingsOf(role, kind, signal))
    bee.on('error', (error) => {
      if (isDemoted(error)) reconnect(bee)
      role.onError(error)
    })
    demotionListeners.set(bee, role.onDemoted)
    // Attaches the handlers in the tick in which the Bee-Queue is created: a rejection of `ready()` without
    // handlers would end the process.
    const readiness = bee.ready().then(
      () => true,
      (error) => {
        role.onError(error)
        return false
      },
    )
    if (await Promise.race([readiness, aborted(signal)])) {
      neverGiveUp(bee)
      // Loads Bee-Queue's Lua scripts after every reconnect, because Redis loses scripts on a restart, and a
      // replica that takes over has none.
      internalsOf(bee).client?.on('ready', () => void loadScripts(bee).catch(role.onError))
      return onConnected(bee)
    }
    // Closes the connections of the failed try after the pause, because one of them may be made only now.
    // They would otherwise stay open, or reconnect without an end.
    await pause(Math.min(tries * 200, 5_000), signal)
    for (const connection of [internalsOf(bee).client, internalsOf(bee).bclient]) connection?.end(false)
  }
}

/**
 * Makes node_redis reconnect without a time limit; by default it stops after one hour, whatever its retry
 * strategy returns. The limit cannot be set with the option `connect_timeout`: node_redis would also use it
 * as the socket timeout of a connection attempt, and Node rejects an infinite timeout.
 */
function neverGiveUp(bee: BeeQueue) {
  const { client, bclient } = internalsOf(bee)
  for (const connection of [client, bclient])
    if (connection) connection.connect_timeout = Number.POSITIVE_INFINITY
}

/** Closes the connections of a Bee-Queue, whether Redis can be reached or not. */
export async function close(bee: BeeQueue): Promise<void> {
  const { client, bclient } = internalsOf(bee)
  // Bee-Queue's `close` never resolves while Redis cannot be reached, so it is called only while Redis is
  // connected, and with a time limit. Its rejection is ignored: if a delivery is still being handled at the
  // time limit, the stall check of another worker puts it back into the list of waiting deliveries.
  if (client?.ready)
    await Promise.race([bee.close(CLOSE_TIMEOUT_MS).catch(() => {}), pause(2 * CLOSE_TIMEOUT_MS)])
  client?.end(false)
  bclient?.end(false)
}

/** Resolves with false when the AbortSignal aborts, so that `connect` stops waiting for Redis. */
function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false)
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
}

/**
 * Removes a fetched delivery from Redis, with the writes that Bee-Queue makes for a succeeded job. Bee-Queue
 * repeats them when the handler returns, which is harmless. It is a script, because a full Redis refuses
 * every transaction (MULTI).
 */
export async function acknowledge(bee: BeeQueue, deliveryId: string): Promise<void> {
  const keys = ['active', 'stalling', 'jobs'].map((name) => keyOf(bee, name))
  const args = [ACKNOWLEDGE, keys.length, ...keys, deliveryId]
  await promised(bee, (done) => internalsOf(bee).client?.eval(args, done))
}

const ACKNOWLEDGE = `
redis.call('lrem', KEYS[1], 0, ARGV[1])
redis.call('srem', KEYS[2], ARGV[1])
redis.call('hdel', KEYS[3], ARGV[1])`

/**
 * Removes a delivery from Redis like `acknowledge`, and also from the list of waiting deliveries, into which
 * the stall check may have put it back. Slower than `acknowledge`, because Redis scans that list.
 */
export async function remove(bee: BeeQueue, deliveryId: string): Promise<void> {
  await acknowledge(bee, deliveryId)
  await promised(bee, (done) =>
    internalsOf(bee).client?.multi().lrem(keyOf(bee, 'waiting'), 0, deliveryId).exec(done),
  )
}

/** Loads Bee-Queue's Lua scripts into Redis, if it does not have them. */
export function loadScripts(bee: BeeQueue): Promise<unknown> {
  return lua.buildCache(internalsOf(bee).client)
}

/**
 * Checks for the error with which a Redis that has reached `maxmemory` refuses commands that may need memory.
 */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message)
}

/** Checks for the error with which Redis rejects the call of a script that it does not have. */
export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOSCRIPT')
}

/**
 * Internals of Bee-Queue that its typings leave out: its connections (node_redis 3, with callbacks), the
 * names of its keys in Redis, and its delay after a failed fetch.
 */
interface BeeInternals {
  client: RedisCommands | null
  bclient: RedisCommands | null
  toKey(name: string): string
  _redisFailureRetryDelay: number
}
interface RedisCommands {
  ready: boolean
  connect_timeout: number
  stream: { destroy(): void }
  end(flush: boolean): void
  on(event: 'ready', listener: () => void): void
  multi(): RedisMulti
  eval<T>(args: (string | number)[], done: Callback<T>): void
  info(section: string, done: Callback<string>): void
  set(key: string, value: string, done: Callback<unknown>): void
  del(key: string, done: Callback<unknown>): void
  scan(args: (string | number)[], done: Callback<[cursor: string, keys: string[]]>): void
  llen(key: string, done: Callback<number>): void
  exists(key: string, done: Callback<number>): void
}
interface RedisMulti {
  hset(key: string, field: string, value: string): RedisMulti
  rpush(key: string, value: string): RedisMulti
  lrem(key: string, count: number, value: string): RedisMulti
  exec<T>(done: Callback<T>): void
}
type Callback<T> = (error: Error | null, value: T) => void

export const internalsOf = (bee: BeeQueue) => bee as unknown as BeeInternals
export const keyOf = (bee: BeeQueue, name: string) => internalsOf(bee).toKey(name)

// Timeout of one Redis command. Redis usually answers in less than a millisecond; if it takes five seconds,
// Redis or the network is stuck.
const COMMAND_TIMEOUT_MS = 5_000

/**
 * Turns a command with a callback into a promise. If Redis does not answer within `COMMAND_TIMEOUT_MS`, the
 * promise rejects, and the connection is closed, so that node_redis reconnects: otherwise it would wait, and
 * accept more commands, until TCP reports an error.
 * @throws the error of the command, or of the timeout
 */
export async function promised<T>(bee: BeeQueue, call: (done: Callback<T>) => void): Promise<T> {
  let limit: TimeLimit | undefined
  const late = new Promise<never>((_, reject) => {
    limit = startTimeLimit(COMMAND_TIMEOUT_MS, () => {
      internalsOf(bee).client?.stream.destroy()
      reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS / 1_000} seconds`))
    })
  })
  const command = new Promise<T>((resolve, reject) =>
    call((error, value) => {
      if (isDemoted(error)) reconnect(bee)
      if (error) reject(error)
      else resolve(value)
    }),
  )
  return Promise.race([command, late]).finally(() => limit?.clear())
}

/**
 * Checks for the errors of a primary that has become a replica in a failover. Redis refuses writes, and ends
 * blocking commands and their connections. All other connections stay open, so the client must close them.
 */
function isDemoted(error: unknown): boolean {
  return error instanceof Error && /\b(READONLY|UNBLOCKED)\b/.test(error.message)
}

const demotionListeners = new WeakMap<BeeQueue, () => void>()

/** Closes the connections of a Bee-Queue. node_redis then looks the host name up again and reconnects. */
function reconnect(bee: BeeQueue) {
  const { client, bclient } = internalsOf(bee)
  for (const connection of [client, bclient]) connection?.stream.destroy()
  demotionListeners.get(bee)?.()
}
