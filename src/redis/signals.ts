// Best-effort notices over Redis pub/sub: a task ended, a task is to be cancelled. They only make things faster:
// whoever listens also looks by itself once a second, so losing one costs a second.
import { createClient } from 'redis'

const CHANNELS = ['ended', 'cancel'] as const
export type Channel = (typeof CHANNELS)[number]

export interface Signals {
  /** Tells everybody who listens; does nothing while Redis is away. Never throws. */
  announce(channel: Channel, taskIds: string[]): void
  /** Calls `listener` with ids whenever Redis is there, and `onReady` once it hears. Returns what ends it. */
  listen(channel: Channel, listener: (taskIds: string[]) => void, onReady?: () => void): () => void
  stop(): Promise<void>
}

export interface SignalsOptions {
  redisUrl: string
  prefix?: string
  onError: (error: unknown) => void
}

/** Returns at once; connects, and connects again, in the background. */
export function createSignals({ redisUrl, prefix = 'waggle', onError }: SignalsOptions): Signals {
  const socket = { reconnectStrategy: (tries: number) => Math.min(tries * 100, 2_000), connectTimeout: 5_000 }
  // Commands fail at once while Redis is away, instead of waiting in memory.
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
    announce(channel, taskIds) {
      if (!publisher.isReady) return
      publisher.publish(`${prefix}:${channel}`, taskIds.join(' ')).catch(report)
    },
    listen(channel, listener, onReady) {
      listeners[channel].add(listener)
      subscriptions[channel] ??= subscribe(channel)
      subscriptions[channel].then(onReady, (error) => {
        // The connection broke on the way: the next listener tries again.
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

  /** For good: an unsubscription on its way would silence whoever begins to listen meanwhile. */
  function subscribe(channel: Channel): Promise<void> {
    // The client remembers what it is subscribed to, and subscribes again after a reconnect.
    return subscriber.subscribe(`${prefix}:${channel}`, (message) => tell(channel, message))
  }

  function tell(channel: Channel, message: string) {
    if (listeners[channel].size === 0) return
    const taskIds = message.split(' ')
    for (const listener of listeners[channel]) listener(taskIds)
  }
}
