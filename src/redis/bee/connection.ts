// Keeps a Bee-Queue connected while Redis can be reached, and types the internals that its typings leave out.
import BeeQueue from 'bee-queue'
import lua from 'bee-queue/lib/lua/index.js'
import { pause } from '../../base/loop.ts'
import { type BeeRole, settingsOf } from './settings.ts'

/**
 * Task references as stored in Redis. Pairs are shorter than objects, and most of the traffic is references.
 */
export type Pairs = [id: string, attempt: number][]

export interface JobData {
  tasks: Pairs
}

const CLOSE_TIMEOUT_MS = 2_000

/**
 * Creates Bee-Queues until one has connected and loaded its scripts. A new one is created for each try,
 * because a Bee-Queue whose first connection failed never recovers. The handler of `ready()` is attached in
 * the same tick: an unhandled rejection would end the process.
 */
export async function connect(
  role: BeeRole,
  kind: 'producer' | 'consumer',
  signal: AbortSignal,
  onConnected: (bee: BeeQueue) => void,
): Promise<void> {
  for (let tries = 1; !signal.aborted; tries++) {
    const bee = new BeeQueue(role.queueName, settingsOf(role, kind, signal))
    bee.on('error', role.onError)
    const readiness = bee.ready().then(
      () => true,
      (error) => {
        role.onError(error)
        return false
      },
    )
    if (await Promise.race([readiness, aborted(signal)])) {
      neverGiveUp(bee)
      // Redis loses its scripts on a restart, and a replica that takes over has none.
      internalsOf(bee).client?.on('ready', () => void loadScripts(bee).catch(role.onError))
      return onConnected(bee)
    }
    await pause(Math.min(tries * 200, 5_000), signal)
  }
}

/**
 * node_redis stops reconnecting after an hour, even if its retry strategy would continue. As an option, the
 * same value would also be the timeout of idle connections, so it is set on the client.
 */
function neverGiveUp(bee: BeeQueue) {
  const { client, bclient } = internalsOf(bee)
  for (const connection of [client, bclient])
    if (connection) connection.connect_timeout = Number.POSITIVE_INFINITY
}

/**
 * Closes the connections, whether Redis can be reached or not. Bee-Queue's own `close` never resolves while
 * Redis cannot be reached, and rejects if a job still runs. The stall check returns such a job to the list.
 */
export async function close(bee: BeeQueue): Promise<void> {
  const { client, bclient } = internalsOf(bee)
  if (client?.ready)
    await Promise.race([bee.close(CLOSE_TIMEOUT_MS).catch(() => {}), pause(2 * CLOSE_TIMEOUT_MS)])
  client?.end(false)
  bclient?.end(false)
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false)
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
}

/**
 * Removes a fetched delivery, with the writes of Bee-Queue for a succeeded job. Repeating them is harmless.
 */
export function acknowledge(bee: BeeQueue, deliveryId: string): Promise<void> {
  return promised(bee, (done) =>
    internalsOf(bee)
      .client?.multi()
      .lrem(keyOf(bee, 'active'), 0, deliveryId)
      .srem(keyOf(bee, 'stalling'), deliveryId)
      .hdel(keyOf(bee, 'jobs'), deliveryId)
      .exec(done),
  )
}

/** Removes a delivery that may also be in the list of waiting ones. Scans that list, which is slow. */
export async function remove(bee: BeeQueue, deliveryId: string): Promise<void> {
  await acknowledge(bee, deliveryId)
  await promised(bee, (done) =>
    internalsOf(bee).client?.multi().lrem(keyOf(bee, 'waiting'), 0, deliveryId).exec(done),
  )
}

export function loadScripts(bee: BeeQueue): Promise<unknown> {
  return lua.buildCache(internalsOf(bee).client)
}

export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOSCRIPT')
}

/**
 * Internals of Bee-Queue without typings: the connections (node_redis 3 with callbacks) and the key names.
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
}
interface RedisMulti {
  hset(key: string, field: string, value: string): RedisMulti
  rpush(key: string, value: string): RedisMulti
  lindex(key: string, index: number): RedisMulti
  lrange(key: string, start: number, stop: number): RedisMulti
  lrem(key: string, count: number, value: string): RedisMulti
  srem(key: string, value: string): RedisMulti
  hdel(key: string, field: string): RedisMulti
  hmget(key: string, fields: string[]): RedisMulti
  exec<T>(done: Callback<T>): void
}
type Callback<T> = (error: Error | null, value: T) => void

export const internalsOf = (bee: BeeQueue) => bee as unknown as BeeInternals
export const keyOf = (bee: BeeQueue, name: string) => internalsOf(bee).toKey(name)

// Redis usually answers in less than a millisecond. After five seconds, Redis or the network is stuck.
const COMMAND_TIMEOUT_MS = 5_000

/**
 * Turns a callback-style command into a promise.
 * @throws when Redis does not answer in time, which also reconnects
 */
export function promised<T>(bee: BeeQueue, call: (done: Callback<T>) => void): Promise<T> {
  return withTimeout(
    bee,
    new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value)))),
  )
}

/**
 * Limits the time of a command. Otherwise node_redis waits, and accepts more commands, until TCP gives up.
 */
export async function withTimeout<T>(bee: BeeQueue, command: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      internalsOf(bee).client?.stream.destroy()
      reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS / 1_000} seconds`))
    }, COMMAND_TIMEOUT_MS)
  })
  return Promise.race([command, late]).finally(() => clearTimeout(timer))
}
