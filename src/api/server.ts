// Puts a fetch handler on a port, with bounds to what a client may cost.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { messageOf } from '../base/errors.ts'
import { type LatestRequest, refuseMalformed } from './http/malformed-requests.ts'
import { malformedRequestResponse } from './http/problem.ts'

export interface HttpServer {
  /** The port it got; with port 0 the system chooses. */
  port: number
  /** Takes no more connections, lets requests under way finish, and ends those that take longer than `graceMs`. */
  stop(graceMs?: number): Promise<void>
}

/** How long a client may take. */
export interface ServerLimits {
  /** From the connection, or the first byte of a request, to the end of its headers. */
  headersTimeoutMs: number
  /** To the end of its body. */
  requestTimeoutMs: number
  /** How often the two are looked at, which is by how much they may be exceeded. */
  checkMs: number
  /** Without a byte in either direction while an answer is under way. */
  idleTimeoutMs: number
}

const LIMITS: ServerLimits = {
  // Headers are sent in one go; who drips them wants the connection, not the answer.
  headersTimeoutMs: 15_000,
  // 256 KiB in this time is 4 KiB/s, slower than any line; nginx, too, waits 60 s for a body.
  requestTimeoutMs: 60_000,
  checkMs: 5_000,
  // Who does not read makes us keep the answer. Longer than any silence of ours: a wait of 50 s, comments every 15 s.
  idleTimeoutMs: 120_000,
}
// Node's own default, said here because it bounds the number of headers as well.
const MAX_HEADER_BYTES = 16 * 1024
// Whoever waits or follows holds one. Each costs some tens of KiB: a flood of them ends below 1 GiB.
const MAX_CONNECTIONS = 10_000

/** @throws when the port is taken or not allowed */
export async function startServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, limits = LIMITS }: { host: string; port: number; limits?: ServerLimits },
): Promise<HttpServer> {
  // Errors of a handler are answered by the app; what arrives here never got as far.
  const answer = getRequestListener(fetch, { errorHandler: malformedRequestResponse })
  const latest = new WeakMap<Duplex, LatestRequest>()
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    latest.set(incoming.socket, { incoming, outgoing })
    // HTTP/1.0 knows no Host, and the probes of load balancers still speak it.
    if (incoming.httpVersion === '1.0') incoming.headers.host ||= 'localhost'
    return answer(incoming, outgoing)
  }
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The listener says it as a problem.
      requireHostHeader: false,
    },
    listener,
  )
  // Beyond a number Node drops headers without a word, and the last ones are those that a proxy of ours has added.
  server.maxHeadersCount = 0
  server.maxConnections = MAX_CONNECTIONS
  // Between requests too, and longer there than the idle timeout of what usually stands before us (nginx and load
  // balancers: 60 s), which must be the one to close, or it sends a request into a closing connection. A time of its own
  // for that (`keepAliveTimeout`) would set two timers for every request.
  server.timeout = limits.idleTimeoutMs
  server.keepAliveTimeout = 0
  // An expectation that we do not know may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', listener)
  server.on('clientError', (error, socket) => refuseMalformed(error, socket, latest.get(socket)))
  server.listen(port, host)
  await once(server, 'listening').catch((cause) => {
    throw new Error(`Cannot listen on port ${port} of ${host}: ${messageOf(cause)}`, { cause })
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async stop(graceMs = 5_000) {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }
}
