// A real HTTP server on the loopback interface that remembers what it was sent and answers as a test says.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface ReceivedRequest {
  method: string
  path: string
  headers: IncomingHttpHeaders
  body: string
}

export interface TestServer {
  /** Without a slash at its end. */
  url: string
  port: number
  /** In the order of arrival. */
  received: ReceivedRequest[]
  receivedAt(path: string): ReceivedRequest[]
  stop(): Promise<void>
}

type Answer = (request: ReceivedRequest, response: ServerResponse, nth: number) => void

/** @param answer is told as `nth` how often this path was asked for, from 1 on */
export async function startTestServer(answer: Answer): Promise<TestServer> {
  const received: ReceivedRequest[] = []
  const receivedAt = (path: string) => received.filter((request) => request.path === path)
  const server = createServer(async (incoming, response) => {
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, headers, body: await text(incoming) }
    received.push(request)
    answer(request, response, receivedAt(path).length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    receivedAt,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
