// One keep-alive HTTP/1.1 connection with one request under way: all that a load generator needs, and so little
// work per request that the processors are left to the systems under test.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  status: number
  /** Good until the next exchange. */
  body: Buffer
}

export interface HttpConnection {
  /** Sends the bytes of one request and resolves with the whole answer; rejects when the connection breaks. */
  exchange(request: Buffer): Promise<Answer>
  close(): void
}

// An answer of the floods fits; longer ones are put together.
const READ_BYTES = 16 * 1_024

/** Opens a connection to a port of the loopback interface. */
export async function openHttpConnection(port: number): Promise<HttpConnection> {
  let take: ((chunk: Buffer) => void) | undefined
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    // Every read goes into the same bytes: a buffer and an event of a stream for each cost more than reading them.
    onread: {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback(length, bytes) {
        take?.(Buffer.from(bytes.buffer, bytes.byteOffset, length))
        return true
      },
    },
  })
  await once(socket, 'connect')
  return createHttpConnection(socket, (taker) => {
    take = taker
  })
}

/** The bytes of a request, made once and sent many times. */
export function buildRequest(method: 'GET' | 'POST', path: string, json = ''): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Accept: application/json']
  if (json) head.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`)
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${json}`)
}

function createHttpConnection(
  socket: Socket,
  onChunk: (take: (chunk: Buffer) => void) => void,
): HttpConnection {
  let received: Buffer | undefined
  let waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  onChunk((chunk) => {
    const bytes = received ? Buffer.concat([received, chunk]) : chunk
    try {
      const answer = readAnswer(bytes)
      // The bytes of a chunk are good until the next.
      received = answer ? undefined : Buffer.from(bytes)
      if (answer) waiting?.resolve(answer)
    } catch (error) {
      waiting?.reject(error as Error)
      socket.destroy()
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')))

  return {
    exchange(request) {
      return new Promise<Answer>((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection is closed'))
        waiting = { resolve, reject }
        socket.write(request)
      })
    },
    close: () => socket.destroy(),
  }
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Undefined as long as the answer is not there as a whole. */
function readAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  // Every system under test answers with a length; anything else must stop the run and not count as fast.
  if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`)
  const start = headEnd + HEAD_END.length
  const end = start + Number(length)
  if (bytes.length < end) return undefined
  if (bytes.length > end) throw new Error('more than one answer to one request')
  return { status: Number(head.slice(9, 12)), body: bytes.subarray(start, end) }
}
