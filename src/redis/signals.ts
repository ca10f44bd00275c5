// Best-effort signals over Redis pub/sub: a task has ended, a task is to be cancelled, or held tasks of a queue may be
// able to start. Processes that listen also query Postgres every second, so a lost signal only delays them by up to a second.
import { createClient } from 'redis'
import { clientOptionsOf } from './redis-url.ts'

const CHANNELS = ['ended', 'cancel', 'held'] as const
export type Channel = (typeof CHANNELS)[number]

export interface Signals {
  /**
   * Publishes ids of tasks, or names of queues on the channel `held`, to all listeners of the channel in all
   * processes. Does nothing while Redis cannot be reached. Never throws.
   */
  publish(channel: Channel, ids: string[]): void
  /**
   * Calls `listener` with the ids of every signal of the channel, and `onReady` once the subscription is
   * active.
   * @returns a function that removes the listener
   */
  listen(channel: Channel, listener: (ids: string[]) => void, onReady?: () => void): () => void
  /** Replaces both connections, because their Redis has become a replica in a failover. */
  reconnect(): void
  stop(): Promise<void>
}

export interface SignalsOptions {
  redisUrl: string
  prefix?: string
  onError: (error: unknown) => void
}

/**
 * Connects a publisher and a subscriber to Redis. Returns immediately; they connect and reconnect in the
 * background.
 */
export function createSignals({ redisUrl, prefix = 'waggle', onError }: SignalsOptions): Signals {
  let isStopped = false
  const listeners: Record<Channel, Set<(ids: string[]) => void>> = {
    ended: new Set(),
    cancel: new Set(),
    held: new Set(),
  }
  let subscriptions: Partial<Record<Channel, Promise<void>>> = {}
  let { publisher, subscriber } = connect()

  return {
    publish(channel, ids) {
      if (!publisher.isReady) return
      publisher.publish(`${prefix}:${channel}`, ids.join(' ')).catch(report)
    },
    listen(channel, listener, onReady) {
      listeners[channel].add(listener)
      subscriptions[channel] ??= subscribe(channel)
      subscriptions[channel].then(onReady, (error) => {
        // The connection broke before Redis confirmed the subscription. The next `listen` subscribes again.
        subscriptions[channel] = undefined
        report(error)
      })
      return () => listeners[channel].delete(listener)
    },
    reconnect() {
      for (const client of [publisher, subscriber]) client.destroy()
      ;({ publisher, subscriber } = connect())
      const channels = CHANNELS.filter((channel) => subscriptions[channel])
      subscriptions = {}
      for (const channel of channels) {
        const subscribed = subscribe(channel)
        subscriptions[channel] = subscribed
        subscribed.catch(report)
      }
    },
    async stop() {
      isStopped = true
      for (const client of [publisher, subscriber]) client.destroy()
    },
  }

  function connect() {
    // The publisher has no offline queue, so that its commands fail immediately while Redis cannot be
    // reached, and do not accumulate in memory.
    const publisher = createClient({ ...clientOptionsOf(redisUrl), disableOfflineQueue: true })
    // `createClient` would make a new class with all commands of Redis, which takes 20 ms.
    const subscriber = publisher.duplicate({ disableOfflineQueue: false })
    for (const client of [publisher, subscriber]) {
      client.on('error', report)
      client.connect().catch(report)
    }
    return { publisher, subscriber }
  }

  function report(error: unknown) {
    if (!isStopped) onError(error)
  }

  /**
   * Subscribes to a channel. The process never unsubscribes, because this could also end the subscription of
   * a listener that is added at the same time.
   */
  function subscribe(channel: Channel): Promise<void> {
    // No code is needed after a reconnect: the Redis client restores its subscriptions.
    return subscriber.subscribe(`${prefix}:${channel}`, (message) => callListeners(channel, message))
  }

  function callListeners(channel: Channel, message: string) {
    if (listeners[channel].size === 0) return
    const ids = message.split(' ')
    for (const listener of listeners[channel]) listener(ids)
  }
}
