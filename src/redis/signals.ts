// Best-effort signals over Redis pub/sub: a task has ended, or a task is to be cancelled. Listeners also
// query Postgres every second, so a lost signal costs a second.
import { createClient } from 'redis'

const CHANNELS = ['ended', 'cancel'] as const
export type Channel = (typeof CHANNELS)[number]

export interface Signals {
  /** Publishes task ids to all listeners of all processes. Does nothing without Redis. Never throws. */
  publish(channel: Channel, taskIds: string[]): void
  /**
   * Calls `listener` with published ids, and `onReady` once the subscription is active.
   * @returns a function that ends it
   */
  listen(channel: Channel, listener: (taskIds: string[]) => void, onReady?: () => void): () => void
  stop(): Promise<void>
}

export interface SignalsOptions {
  redisUrl: string
  prefix?: string
  onError: (error: unknown) => void
}

/** Returns immediately. Connects and reconnects in the background. */
export function createSignals({ redisUrl, prefix = 'waggle', onError }: SignalsOptions): Signals {
  const socket = { reconnectStrategy: (tries: number) => Math.min(tries * 100, 2_000), connectTimeout: 5_000 }
  // Without the offline queue, commands fail immediately while Redis cannot be reached, and none pile up.
  const publisher = createClient({ url: redisUrl, socket, disableOfflineQueue: true })
  const subscriber = createClient({ url: redisUrl, socket })
  let isStopped = false
  const listeners: Record<Channel, Set<(ids: string[]) => void>> = { ended: new Set(), cancel: new Set() }

  const subscriptions: Partial<Record<Channel, Promise<void>>> = {}
  for (const client of [publisher, subscriber]) {
    client.on('error', report)
    client.connect().catch(report)
  }

  return {
    publish(channel, taskIds) {
      if (!publisher.isReady) return
      publisher.publish(`${prefix}:${channel}`, taskIds.join(' ')).catch(report)
    },
    listen(channel, listener, onReady) {
      listeners[channel].add(listener)
      subscriptions[channel] ??= subscribe(channel)
      subscriptions[channel].then(onReady, (error) => {
        // The connection broke before Redis confirmed the subscription. The next listener tries again.
        subscriptions[channel] = undefined
        report(error)
      })
      return () => listeners[channel].delete(listener)
    },
    async stop() {
      isStopped = true
      for (const client of [publisher, subscriber]) client.destroy()
    },
  }

  function report(error: unknown) {
    if (!isStopped) onError(error)
  }

  /** Never unsubscribes: this could also end the subscription of a listener that is added meanwhile. */
  function subscribe(channel: Channel): Promise<void> {
    // The client restores its subscriptions after a reconnect.
    return subscriber.subscribe(`${prefix}:${channel}`, (message) => callListeners(channel, message))
  }

  function callListeners(channel: Channel, message: string) {
    if (listeners[channel].size === 0) return
    const taskIds = message.split(' ')
    for (const listener of listeners[channel]) listener(taskIds)
  }
}
