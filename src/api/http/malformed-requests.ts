// What Node's parser refuses never becomes a request that the app could see: answered here, on the bare connection.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { malformedRequestProblem, PROBLEM_JSON } from './problem.ts'

/** The latest request of a connection that did become one. */
export interface LatestRequest {
  incoming: IncomingMessage
  outgoing: ServerResponse
  /** What follows it cannot be read. */
  isLast?: true
}

// As long as a client may need to read the answer; closing at once, with bytes of it unread, would reset the connection.
const LINGER_MS = 500

/** Answers with a problem, and ends the connection: what is behind the fault is unreadable too (RFC 9112, 9.6). */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex, latest?: LatestRequest): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  // It is being refused already, and goes on sending.
  if (!socket.writable || latest?.isLast) return
  const isOwed = latest !== undefined && !latest.outgoing.writableFinished
  if (isOwed && latest.incoming.complete) {
    // The fault is behind that request: an answer to the fault would be taken for the answer to the request.
    latest.isLast = true
    latest.outgoing.once('finish', () => end(socket))
    return
  }
  // The fault is in the body of that request, and its answer may have begun.
  if (isOwed && latest.outgoing.headersSent) return void socket.destroy()
  end(socket, answerTo(error.code))
}

function end(socket: Duplex, bytes = ''): void {
  socket.end(bytes)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function answerTo(code: string | undefined): string {
  const problem = describe(code)
  const body = JSON.stringify(problem)
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_JSON}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

function describe(code: string | undefined) {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return malformedRequestProblem(
        431,
        'headers_too_large',
        'The headers must not be larger than 16 KiB together',
      )
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return malformedRequestProblem(413, 'body_too_large', 'The extensions of a chunk are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return malformedRequestProblem(408, 'request_timeout', 'The request did not arrive in time')
    default:
      return malformedRequestProblem(400, 'malformed_request', 'This is not a valid HTTP request')
  }
}
