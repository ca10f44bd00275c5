// Bee-Queue, tamed: the only file that imports it. Each setting answers one of its edges, with the reason beside it.
import BeeQueue from 'bee-queue'
import lua from 'bee-queue/lib/lua/index.js'
import { pause } from './loop.ts'

type Pairs = [id: string, attempt: number][]

export interface BeeRole {
  queueName: string
  redisUrl: string
  /** Keys in Redis begin with this and a colon. */
  prefix: string
  onError: (error: unknown) => void
}

export interface BeeProducer {
  /** Puts a delivery behind all that wait. @throws at once when Redis is away */
  add(deliveryId: string, pairs: Pairs): Promise<void>
  /** Puts a delivery before all that wait. @throws at once when Redis is away */
  addFirst(deliveryId: string, pairs: Pairs): Promise<void>
  isReady(): boolean
  /**
   * The id of the delivery that is taken next, and of those that are in somebody's hands, at one moment.
   * @throws at once when Redis is away
   */
  look(): Promise<{ next: string | null; inHand: string[] }>
  stop(): Promise<void>
}

/** A producer that is there whenever Redis is, with its Lua scripts loaded. Returns before it is connected. */
export function connectProducer(role: BeeRole): BeeProducer {
  const stopping = new AbortController()
  let current: BeeQueue | null = null
  const connected = connect(role, 'producer', stopping.signal, (bee) => {
    current = bee
  })

  return {
    async add(deliveryId, pairs) {
      const bee = ready()
      try {
        await jobOf(bee, deliveryId, pairs).save()
      } catch (error) {
        if (!isMissingScript(error)) throw error
        // Somebody flushed the scripts; Bee-Queue loads them at connect only, and calls them by their hash.
        await loadScripts(bee)
        await jobOf(bee, deliveryId, pairs).save()
      }
    },
    addFirst(deliveryId, pairs) {
      const bee = ready()
      const { client } = internalsOf(bee)
      // The same writes as Bee-Queue's own, but at the end where the next is taken: first in stays first out.
      const job = jobOf(bee, deliveryId, pairs) as unknown as { toData(): string }
      return called((done) =>
        client
          ?.multi()
          .hset(keyOf(bee, 'jobs'), deliveryId, job.toData())
          .rpush(keyOf(bee, 'waiting'), deliveryId)
          .exec(done),
      )
    },
    isReady: () => connectedBee() !== null,
    async look() {
      const bee = ready()
      const [next, inHand] = await called<[string | null, string[]]>((done) =>
        internalsOf(bee)
          .client?.multi()
          .lindex(keyOf(bee, 'waiting'), -1)
          .lrange(keyOf(bee, 'active'), 0, -1)
          .exec(done),
      )
      return { next, inHand }
    },
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }

  function connectedBee(): BeeQueue | null {
    return current && internalsOf(current).client?.ready ? current : null
  }

  function ready(): BeeQueue {
    const bee = connectedBee()
    if (bee === null) throw new Error('Redis cannot be reached at the moment')
    return bee
  }
}

/**
 * Takes deliveries from now on, or from when Redis can be reached. `handle` must not reject. It may let go of a delivery
 * before it is done, to hold back the next one without being seen to hold this one.
 */
export function startBeeConsumer(
  role: BeeRole,
  fetches: number,
  handle: (deliveryId: string, pairs: Pairs, letGo: () => Promise<void>) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let current: BeeQueue | null = null
  const connected = connect(role, 'consumer', stopping.signal, (bee) => {
    current = bee
    bee.on('error', (error) => {
      // The stall check is a consumer's only script, and Bee-Queue does not load it again by itself.
      if (isMissingScript(error)) loadScripts(bee).catch(role.onError)
      // Bee-Queue doubles this pause without a bound while Redis is away.
      internalsOf(bee)._redisFailureRetryDelay = 0
    })
    // Only now: `process` would take nothing for ever if its first stall check failed for want of the scripts.
    // Its verdict on a job is never used: the outcome of a task is ours, and goes to Postgres.
    bee.process(fetches, (job: BeeQueue.Job<JobData>) =>
      handle(job.id, job.data.bells, () => letGo(bee, job.id)),
    )
    // With an interval, or it runs once only: what a worker took and died with comes back.
    bee.checkStalledJobs(STALL_INTERVAL_MS).catch(role.onError)
  })
  return {
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }
}

/** What Bee-Queue itself does when a job has succeeded; when it does so again there is nothing left to do. */
function letGo(bee: BeeQueue, deliveryId: string): Promise<void> {
  return called((done) =>
    internalsOf(bee)
      .client?.multi()
      .lrem(keyOf(bee, 'active'), 0, deliveryId)
      .srem(keyOf(bee, 'stalling'), deliveryId)
      .hdel(keyOf(bee, 'jobs'), deliveryId)
      .exec(done),
  )
}

// A delivery is in hand while its tasks are being claimed; it is renewed twice in this time.
const STALL_INTERVAL_MS = 5_000
const CLOSE_TIMEOUT_MS = 2_000

function settingsOf({ redisUrl, prefix }: BeeRole, kind: 'producer' | 'consumer', signal: AbortSignal) {
  return {
    prefix,
    // Options, never a client: Bee-Queue ignores any client but its own old one, and dials localhost instead.
    redis: {
      ...redisOptionsOf(redisUrl),
      // A bell fails fast while Redis is away, the dispatcher rings later; a consumer waits as long as it takes.
      enable_offline_queue: kind === 'consumer',
      // The client's own strategy gives up for good after an hour. Undefined ends the dialling when we stop.
      retry_strategy: ({ attempt }: { attempt: number }) =>
        signal.aborted ? undefined : Math.min(attempt * 100, 2_000),
    } as BeeQueue.QueueSettings['redis'],
    isWorker: kind === 'consumer',
    stallInterval: STALL_INTERVAL_MS,
    // All of these would keep memory in Redis or in this process for what Postgres remembers.
    storeJobs: false,
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
    removeOnFailure: true,
    // Delays and retries are in Postgres.
    activateDelayedJobs: false,
  } satisfies BeeQueue.QueueSettings
}

function redisOptionsOf(redisUrl: string) {
  const url = new URL(redisUrl)
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    ...(url.username && { user: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(url.pathname.length > 1 && { db: url.pathname.slice(1) }),
    ...(url.protocol === 'rediss:' && { tls: { servername: url.hostname } }),
  }
}

/**
 * Makes Bee-Queues until one has connected and loaded its scripts. Its promise of readiness is watched from the same
 * tick on: unwatched, its rejection would end the process; and a queue that was refused once never recovers.
 */
async function connect(
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
      // A restarted Redis, or its successor after a failover, has no scripts.
      internalsOf(bee).client?.on('ready', () => void loadScripts(bee).catch(role.onError))
      return onConnected(bee)
    }
    await pause(Math.min(tries * 200, 5_000), signal)
  }
}

/**
 * Resolves when the connections are closed, whether Redis is there or not. Bee-Queue's own close waits for ever for a
 * Redis that is away, and rejects when a job outlives it; what is left of such a job comes back by the stall check.
 */
async function close(bee: BeeQueue): Promise<void> {
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

interface JobData {
  bells: Pairs
}

function jobOf(bee: BeeQueue, deliveryId: string, bells: Pairs) {
  // Every delivery has an id of its own: saving under a known id is dropped without an error.
  return bee.createJob<JobData>({ bells }).setId(deliveryId)
}

function loadScripts(bee: BeeQueue): Promise<unknown> {
  return lua.buildCache(internalsOf(bee).client)
}

function isMissingScript(error: unknown): boolean {
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
  exec<T>(done: Callback<T>): void
}
type Callback<T> = (error: Error | null, value: T) => void

const internalsOf = (bee: BeeQueue) => bee as unknown as BeeInternals
const keyOf = (bee: BeeQueue, name: string) => internalsOf(bee).toKey(name)

function called<T>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))))
}
