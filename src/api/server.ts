// Puts a fetch handler on a port.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { messageOf } from '../errors.ts'
import { problemOfUnreadable } from './problem.ts'

export interface HttpServer {
  /** The port it got; with port 0 the system chooses. */
  port: number
  /** Takes no more connections, lets requests under way finish, and ends those that take longer than `graceMs`. */
  stop(graceMs?: number): Promise<void>
}

/** @throws when the port is taken or not allowed */
export async function startServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port }: { host: string; port: number },
): Promise<HttpServer> {
  // Errors of a handler are answered by the app; what arrives here never got as far.
  const server = createServer(getRequestListener(fetch, { errorHandler: problemOfUnreadable }))
  // Longer than the idle timeout of what usually stands before us (nginx and load balancers: 60 s), which must be
  // the one to close, or it sends a request into a closing connection.
  server.keepAliveTimeout = 65_000
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
