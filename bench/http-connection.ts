// A keep-alive HTTP/1.1 connection for one request at a time. It supports only what the load generator needs,
// so that a request costs little processor time and the processors are free for the systems under test.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface HttpResponse {
  status: number
  /** Valid until the next exchange: the buffer is reused. */
  body: Buffer
}

export interface HttpConnection {
  /**
   * Sends the bytes of one request and resolves with the complete response. Rejects when the connection
   * breaks.
   */
  exchange(request: Buffer): Promise<HttpResponse>
  close(): void
}

// A response to a flood request fits. Longer responses arrive in several chunks and are concatenated.
const READ_BYTES = 16 * 1_024

/** Opens a connection to a port of the loopback interface. */
export async function openHttpConnection(port: number): Promise<HttpConnection> {
  let handleChunk: ((chunk: Buffer) => void) | undefined
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    // Every read goes into the same buffer: a new buffer and a stream event per read would cost more than the
    // read itself.
    onread: {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback(length, bytes) {
        handleChunk?.(Buffer.from(bytes.buffer, bytes.byteOffset, length))
        return true
      },
    },
  })
  await once(socket, 'connect')
  return createHttpConnection(socket, (handler) => {
    handleChunk = handler
  })
}

/** Builds the bytes of a request, which can be sent many times. */
export function buildRequest(method: 'GET' | 'POST', path: string, json = ''): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Accept: application/json']
  if (json) head.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`)
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${json}`)
}

function createHttpConnection(
  socket: Socket,
  onChunk: (handler: (chunk: Buffer) => void) => void,
): HttpConnection {
  let received: Buffer | undefined
  let waiting: { resolve: (response: HttpResponse) => void; reject: (error: Error) => void } | undefined

  onChunk((chunk) => {
    const bytes = received ? Buffer.concat([received, chunk]) : chunk
    try {
      const response = parseResponse(bytes)
      // Copy an incomplete response: the next read overwrites the buffer.
      received = response ? undefined : Buffer.from(bytes)
      if (response) waiting?.resolve(response)
    } catch (error) {
      waiting?.reject(error as Error)
      socket.destroy()
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')))

  return {
    exchange(request) {
      return new Promise<HttpResponse>((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection is closed'))
        waiting = { resolve, reject }
        socket.write(request)
      })
    },
    close: () => socket.destroy(),
  }
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Returns undefined until the response is complete. */
function parseResponse(bytes: Buffer): HttpResponse | undefined {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  // Every system under test sends Content-Length. Any other response must stop the run and not count as a
  // fast one.
  if (length === undefined) throw new Error(`response without Content-Length: ${head}`)
  const start = headEnd + HEAD_END.length
  const end = start + Number(length)
  if (bytes.length < end) return undefined
  if (bytes.length > end) throw new Error('more bytes than one response to one request')
  return { status: Number(head.slice(9, 12)), body: bytes.subarray(start, end) }
}
