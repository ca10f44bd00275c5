// Responds to requests that Node's HTTP parser rejects. The response is written to the socket directly,
// because such requests never reach the app.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { malformedRequestProblem, PROBLEM_JSON } from './problem.ts'

/** The latest request of a connection, among those whose headers Node could parse. */
export interface LatestRequest {
  incoming: IncomingMessage
  outgoing: ServerResponse
  /** Set if the bytes after this request cannot be parsed: the connection ends after the response to it. */
  isLast?: true
}

// How long an ended connection stays open, in milliseconds, so that the client can read the response. Closing
// the socket while received bytes are unread would reset the connection.
const LINGER_MS = 500

/**
 * Handles `clientError` of a Node HTTP server: sends a problem and ends the connection, because the bytes
 * after the fault cannot be parsed either (RFC 9112, 9.6).
 * @param latest the last request on this connection that reached the app, if any
 */
export function rejectMalformed(error: NodeJS.ErrnoException, socket: Duplex, latest?: LatestRequest): void {
  if (error.code === 'ECONNRESET') return void socket.destroy()
  // An earlier fault already ends this connection, so faults in bytes that the client still sends are
  // ignored.
  if (!socket.writable || latest?.isLast) return
  const isUnanswered = latest !== undefined && !latest.outgoing.writableFinished
  if (isUnanswered && latest.incoming.complete) {
    // The fault is in the bytes after the latest request, whose response is not complete yet. The connection
    // ends after that response, without a problem: the client would take it for the response to that request.
    latest.isLast = true
    latest.outgoing.once('finish', () => end(socket))
    return
  }
  // The fault is in the body of the latest request. If the response to it has already begun, no problem can
  // be sent, so the connection is only closed.
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
