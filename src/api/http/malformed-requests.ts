// Responds to requests that Node's HTTP parser rejects. The response is written to the socket directly,
// because such requests never reach the app.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { malformedRequestProblem, PROBLEM_JSON } from './problem.ts'

/**
 * The last request of a connection that reached the app, and its response. The server keeps it, because Node
 * reports a parse error with the socket only.
 */
export interface LatestRequest {
  incoming: IncomingMessage
  outgoing: ServerResponse
  /** true if the bytes after this request are not valid HTTP: its response is the last on the connection. */
  isLast?: true
}

// How long an ended connection stays open, in milliseconds, so that the client can read the response. Closing
// the socket while received bytes are unread would reset the connection.
const LINGER_MS = 500

/**
 * Handles `clientError`, which a Node HTTP server emits if a request is not valid HTTP or does not arrive in
 * time: sends a problem+json response if possible, and ends the connection, because after an invalid byte the
 * start of the next request is not known (RFC 9112, 9.6).
 * @param latest the last request on this connection that reached the app, if any
 */
export function rejectMalformed(error: NodeJS.ErrnoException, socket: Duplex, latest?: LatestRequest): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  // Ignores errors in bytes that the client still sends after an earlier parse error, because this error
  // already ends the connection.
  if (!socket.writable || latest?.isLast) return
  const isUnanswered = latest !== undefined && !latest.outgoing.writableFinished
  if (isUnanswered && latest.incoming.complete) {
    // The invalid bytes follow a complete request whose response has not been sent completely. Sends only
    // that response and no error: the client would take the error for the response to the complete request.
    latest.isLast = true
    latest.outgoing.once('finish', () => end(socket))
    return
  }
  // The body of the latest request is invalid or late, and the response to it has already begun. A second
  // response cannot be sent, so the connection is closed without an error response.
  if (isUnanswered && latest.outgoing.headersSent) return void socket.destroy()
  end(socket, responseTo(error.code))
}

function end(socket: Duplex, bytes = ''): void {
  socket.end(bytes)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function responseTo(code: string | undefined): string {
  const problem = problemFor(code)
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

function problemFor(code: string | undefined) {
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
