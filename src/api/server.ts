// Serves a fetch handler on a port, with limits on the time and the connections that clients can take.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, type Http2Bindings, type HttpBindings } from '@hono/node-server'
import { messageOf } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import { type LatestRequest, rejectMalformed } from './http/malformed-requests.ts'
import { malformedRequestResponse } from './http/problem.ts'

export interface HttpServer {
  /** The open port. If port 0 was requested, this is the port that the operating system has chosen. */
  port: number
  /**
   * Accepts no more connections and asks clients to close the open ones: further responses on them have
   * `Connection: close`. Resolves when no connection is open, or after `limitMs`. Call `stop` afterwards.
   */
  drain(limitMs: number): Promise<void>
  /**
   * Accepts no more connections, lets running requests finish, and closes all connections after `graceMs`
   * (default: 5,000). Resolves when no connection is open.
   */
  stop(graceMs?: number): Promise<void>
}

/** Time limits for slow and idle clients, in milliseconds. */
export interface ServerLimits {
  /**
   * Maximum time until all headers of a request have arrived. It starts when the connection opens; for later
   * requests on the same connection it starts with the first byte of the request.
   */
  headersTimeoutMs: number
  /** Maximum time until the end of a request's body, with the same start as `headersTimeoutMs`. */
  requestTimeoutMs: number
  /**
   * Time between two checks of `headersTimeoutMs` and `requestTimeoutMs`. A request can exceed these limits
   * by this time.
   */
  checkMs: number
  /** A connection without a byte in either direction for this long is closed, also during a response. */
  idleTimeoutMs: number
}

const LIMITS: ServerLimits = {
  // Time limit for the headers. It is short: normal clients send them in one piece, and slow headers are a
  // way to occupy connections (Slowloris).
  headersTimeoutMs: 15_000,
  // Time limit for a whole request. A body of 256 KiB, the default maximum, arrives in time at 5 KiB/s, and
  // real connections are faster.
  requestTimeoutMs: 60_000,
  checkMs: 5_000,
  // Idle connections are closed, because a response that the client does not read stays in memory. The limit
  // is longer than any pause of the API: a read with `?wait=` responds within 50 s, and an event stream sends
  // a comment every 15 s.
  idleTimeoutMs: 120_000,
}
// Maximum size of all headers of a request. This is Node's default. It is set explicitly, because nothing
// else limits the number of headers: the server sets `maxHeadersCount` to 0.
const MAX_HEADER_BYTES = 16 * 1024
// Maximum number of open connections. Each costs some tens of KiB, so all of them together stay below 1 GiB.
// The number is high, because every waiting read and every event stream holds a connection.
const MAX_CONNECTIONS = 10_000

/**
 * Starts a server that handles requests with `fetch`. Resolves when it listens.
 * @throws Error when the port is in use or not permitted
 */
export async function startServer(
  fetch: (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>,
  { host, port, limits = LIMITS }: { host: string; port: number; limits?: ServerLimits },
): Promise<HttpServer> {
  // `errorHandler` responds to requests whose path or host is not valid: no `Request` can be created from
  // them, so they never reach the app. The app itself responds to errors in its routes.
  const handle = getRequestListener(fetch, { errorHandler: malformedRequestResponse })
  const latest = new WeakMap<Duplex, LatestRequest>()
  let isDraining = false
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (isDraining) outgoing.shouldKeepAlive = false
    latest.set(incoming.socket, { incoming, outgoing })
    // HTTP/1.0 requests may lack Host, without which no `Request` can be created, so they get one here.
    // Probes of load balancers still use HTTP/1.0.
    if (incoming.httpVersion === '1.0') incoming.headers.host ||= 'localhost'
    return handle(incoming, outgoing)
  }
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Turns off Node's own check for a missing Host, which responds without a body. `errorHandler` responds
      // with problem+json instead.
      requireHostHeader: false,
    },
    listener,
  )
  // Turns off the limit on the number of headers. With a limit, Node would drop the last headers of a request
  // without an error, and proxies add their headers last.
  server.maxHeadersCount = 0
  server.maxConnections = MAX_CONNECTIONS
  // Without this, a process with that many connections would return further ones to its supervisor, which
  // would offer them to it again without end. `@types/node` lacks the property.
  Object.assign(server, { dropMaxConnection: true })
  // The idle timeout also applies between requests. It must be longer than that of proxies (60 s in nginx and
  // load balancers): if the server closed first, a proxy could send a request into the closing connection.
  server.timeout = limits.idleTimeoutMs
  // Turns off Node's keep-alive timeout between two requests of a connection. The idle timeout is enough, and
  // with both, Node would set the socket's timer twice for every request.
  server.keepAliveTimeout = 0
  // Requests with an unknown Expect header are handled like all others, as RFC 9110, 10.1.1 permits. Node
  // would respond with 417.
  server.on('checkExpectation', listener)
  server.on('clientError', (error, socket) => rejectMalformed(error, socket, latest.get(socket)))
  server.listen(port, host)
  await once(server, 'listening').catch((cause) => {
    throw new Error(`Cannot listen on port ${port} of ${host}: ${messageOf(cause)}`, { cause })
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async drain(limitMs) {
      isDraining = true
      // Not `server.close()`, which also closes idle connections: a request can be on its way on each of
      // them.
      NetServer.prototype.close.call(server)
      const closed = new AbortController()
      server.once('close', () => closed.abort())
      await pause(limitMs, closed.signal)
    },
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
