// A Bee-Queue that is connected whenever Redis is, and what its typings leave out.
import BeeQueue from 'bee-queue'
import lua from 'bee-queue/lib/lua/index.js'
import { pause } from '../../base/loop.ts'
import { type BeeRole, settingsOf } from './settings.ts'

/** What a delivery says: ids of tasks, each with the attempt after which it waits. Pairs, not objects: a flood is mostly ids. */
export type Pairs = [id: string, attempt: number][]

export interface JobData {
  tasks: Pairs
}

const CLOSE_TIMEOUT_MS = 2_000

/**
 * Makes Bee-Queues until one has connected and loaded its scripts. Its promise of readiness is watched from the same
 * tick on: unwatched, its rejection would end the process; and a queue that was refused once never recovers.
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
      // A restarted Redis, or its successor after a failover, has no scripts.
      internalsOf(bee).client?.on('ready', () => void loadScripts(bee).catch(role.onError))
      return onConnected(bee)
    }
    await pause(Math.min(tries * 200, 5_000), signal)
  }
}

/**
 * node_redis gives up after an hour of dialling even when its retry strategy would go on. Set as an option, the limit
 * would be a limit for idle connections too.
 */
function neverGiveUp(bee: BeeQueue) {
  const { client, bclient } = internalsOf(bee)
  for (const connection of [client, bclient])
    if (connection) connection.connect_timeout = Number.POSITIVE_INFINITY
}

/**
 * Resolves when the connections are closed, whether Redis is there or not. Bee-Queue's own close waits for ever for a
 * Redis that is away, and rejects when a job outlives it; what is left of such a job comes back by the stall check.
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

/** What Bee-Queue itself does when a job has succeeded; when it does so again there is nothing left to do. */
export function acknowledge(bee: BeeQueue, deliveryId: string): Promise<void> {
  return called(bee, (done) =>
    internalsOf(bee)
      .client?.multi()
      .lrem(keyOf(bee, 'active'), 0, deliveryId)
      .srem(keyOf(bee, 'stalling'), deliveryId)
      .hdel(keyOf(bee, 'jobs'), deliveryId)
      .exec(done),
  )
}

/** The same for one that may have been put back to wait. SharedQueries through the whole list, so not for every delivery. */
export async function forget(bee: BeeQueue, deliveryId: string): Promise<void> {
  await acknowledge(bee, deliveryId)
  await called(bee, (done) =>
    internalsOf(bee).client?.multi().lrem(keyOf(bee, 'waiting'), 0, deliveryId).exec(done),
  )
}

export function loadScripts(bee: BeeQueue): Promise<unknown> {
  return lua.buildCache(internalsOf(bee).client)
}

export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOSCRIPT')
}

/** What Bee-Queue's typings leave out: its connection (node_redis 3, callback style) and its key names. */
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

// Redis answers in less than a millisecond; one that takes seconds is frozen, or the network is.
const ANSWER_MS = 5_000

/** A callback-style call as a promise. @throws when Redis does not answer in time; the connection is then made anew */
export function called<T>(bee: BeeQueue, call: (done: Callback<T>) => void): Promise<T> {
  return answered(
    bee,
    new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value)))),
  )
}

/** node_redis itself waits for an answer as long as TCP does, and takes on more commands meanwhile. */
export async function answered<T>(bee: BeeQueue, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      internalsOf(bee).client?.stream.destroy()
      reject(new Error(`Redis did not answer within ${ANSWER_MS / 1_000} seconds`))
    }, ANSWER_MS)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
