// One keep-alive HTTP/1.1 connection with one request under way: all that a load generator needs, and so little
// work per request that the processors are left to the systems under test.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  status: number
  body: Buffer
}

export interface HttpConnection {
  /** Sends the bytes of one request and resolves with the whole answer; rejects when the connection breaks. */
  exchange(request: Buffer): Promise<Answer>
  close(): void
}

/** Opens a connection to a port of the loopback interface. */
export async function openHttpConnection(port: number): Promise<HttpConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return createHttpConnection(socket)
}

/** The bytes of a request, made once and sent many times. */
export function buildRequest(method: 'GET' | 'POST', path: string, json = ''): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Accept: application/json']
  if (json) head.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`)
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${json}`)
}

function createHttpConnection(socket: Socket): HttpConnection {
  let received: Buffer = Buffer.alloc(0)
  let waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    try {
      const answer = readAnswer(received)
      if (!answer) return
      received = received.subarray(answer.end)
      waiting?.resolve(answer)
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

/** Undefined as long as the answer is not there as a whole. `end` is where the next one would begin. */
function readAnswer(bytes: Buffer): (Answer & { end: number }) | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  // Every system under test answers with a length; anything else must stop the run and not count as fast.
  if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`)
  const start = headEnd + 4
  const end = start + Number(length)
  if (bytes.length < end) return undefined
  return { status: Number(head.slice(9, 12)), body: bytes.subarray(start, end), end }
}
