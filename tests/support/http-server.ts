// A real HTTP server on the loopback interface that records requests and responds with a handler of the test.
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
  /** Without a trailing slash. */
  url: string
  port: number
  /** All requests, in the order of arrival. */
  received: ReceivedRequest[]
  receivedAt(path: string): ReceivedRequest[]
  stop(): Promise<void>
}

type Handler = (request: ReceivedRequest, response: ServerResponse, nth: number) => void

/** @param handle sends the response; `nth` counts the requests for this path, starting with 1 */
export async function startTestServer(handle: Handler): Promise<TestServer> {
  const received: ReceivedRequest[] = []
  const receivedAt = (path: string) => received.filter((request) => request.path === path)
  const server = createServer(async (incoming, response) => {
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, headers, body: await text(incoming) }
    received.push(request)
    handle(request, response, receivedAt(path).length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // For a server that listens on a TCP port, address() returns an AddressInfo.
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
