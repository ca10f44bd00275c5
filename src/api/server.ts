// Serves a fetch handler on a port, with limits on the time and the connections that clients can take.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { messageOf } from '../base/errors.ts'
import { type LatestRequest, rejectMalformed } from './http/malformed-requests.ts'
import { malformedRequestResponse } from './http/problem.ts'

export interface HttpServer {
  /** The port that is open. If port 0 was requested, the operating system has chosen one. */
  port: number
  /** Accepts no more connections, lets running requests finish, and closes the others after `graceMs`. */
  stop(graceMs?: number): Promise<void>
}

/** Time limits for clients. */
export interface ServerLimits {
  /** From the opening of a connection, or the first byte of a later request, to the end of the headers. */
  headersTimeoutMs: number
  /** From the same start as `headersTimeoutMs` to the end of the body. */
  requestTimeoutMs: number
  /** How often both limits are checked; they may be exceeded by this much. */
  checkMs: number
  /** Maximum time without a byte in either direction, during a response and between requests. */
  idleTimeoutMs: number
}

const LIMITS: ServerLimits = {
  // Clients send headers in one piece. A client that sends them slowly only wants to hold the connection.
  headersTimeoutMs: 15_000,
  // 256 KiB in 60 s is 4 KiB/s, slower than any real connection. nginx also waits 60 s for a body.
  requestTimeoutMs: 60_000,
  checkMs: 5_000,
  // A response that the client does not read stays in memory. The limit is longer than any pause of the API:
  // a read with `?wait=` responds within 50 s, an event stream sends a comment every 15 s.
  idleTimeoutMs: 120_000,
}
// Node's default, set explicitly because only it bounds the number of headers (see maxHeadersCount).
const MAX_HEADER_BYTES = 16 * 1024
// Every waiting read and every event stream holds a connection. One costs some tens of KiB, so all of them
// together stay below 1 GiB.
const MAX_CONNECTIONS = 10_000

/** Resolves when the server listens. @throws Error when the port is in use or not permitted */
export async function startServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, limits = LIMITS }: { host: string; port: number; limits?: ServerLimits },
): Promise<HttpServer> {
  // The app responds to errors of its routes. This errorHandler gets requests that cannot become a `Request`,
  // because their path or host is not valid.
  const handle = getRequestListener(fetch, { errorHandler: malformedRequestResponse })
  const latest = new WeakMap<Duplex, LatestRequest>()
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    latest.set(incoming.socket, { incoming, outgoing })
    // HTTP/1.0 does not require Host, and probes of load balancers still use HTTP/1.0.
    if (incoming.httpVersion === '1.0') incoming.headers.host ||= 'localhost'
    return handle(incoming, outgoing)
  }
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The errorHandler reports a missing Host as a problem; Node would respond without a body.
      requireHostHeader: false,
    },
    listener,
  )
  // 0 is no limit. Above a limit Node drops the last headers without an error, and proxies add theirs last.
  server.maxHeadersCount = 0
  server.maxConnections = MAX_CONNECTIONS
  // Applies between requests too. There it must be longer than the idle timeout of proxies (nginx and load
  // balancers: 60 s): if the server closed first, a proxy could send a request into the closing connection. A
  // separate limit (`keepAliveTimeout`) would set two timers for every request.
  server.timeout = limits.idleTimeoutMs
  server.keepAliveTimeout = 0
  // An unknown Expect header may be ignored (RFC 9110, 10.1.1). Node's default is 417.
  server.on('checkExpectation', listener)
  server.on('clientError', (error, socket) => rejectMalformed(error, socket, latest.get(socket)))
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
