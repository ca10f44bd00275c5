// Relays connections to Postgres, and can lose answers: Postgres executes a statement, and its client does
// not learn of it.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface PostgresRelay {
  /** Returns the URL that reaches this database through the relay. */
  urlOf(databaseUrl: string): string
  /**
   * Breaks the connection of the next statement whose messages contain this text, when Postgres has answered
   * it. Its answer is lost.
   */
  loseAnswerTo(text: string): void
  stop(): void
}

export async function startPostgresRelay(serverUrl: string): Promise<PostgresRelay> {
  const { hostname, port } = new URL(serverUrl)
  const open = new Set<Socket>()
  let lost: string | undefined
  const relay = createServer((client) => {
    const server = connect(Number(port), hostname)
    let isLosing = false
    client.on('data', (bytes) => {
      if (lost !== undefined && bytes.includes(lost)) {
        isLosing = true
        lost = undefined
      }
      server.write(bytes)
    })
    server.on('data', (bytes) => (isLosing ? client.destroy() : client.write(bytes)))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl)
      url.hostname = '127.0.0.1'
      url.port = String((relay.address() as AddressInfo).port)
      return url.href
    },
    loseAnswerTo(text) {
      lost = text
    },
    stop() {
      relay.close()
      for (const socket of open) socket.destroy()
    },
  }
}
