// Sends HTTP requests as raw bytes, for requests that no HTTP client would send, and reads one complete
// response.
import { connect, type Socket } from 'node:net'

export type RawHeaders = [name: string, value: string][]

export interface RawResponse {
  /** 0 if the connection was closed without a response. */
  status: number
  headers: Record<string, string>
  text: string
}

/** Builds a request as bytes (latin1). Adds Host, Connection and Content-Length unless they are given. */
export function requestOf(method: string, path: string, headers: RawHeaders = [], body?: string): string {
  const bytes = body === undefined ? undefined : bytesOf(body)
  const has = (name: string) => headers.some(([given]) => given.toLowerCase() === name)
  const lines = [
    ...(has('host') ? [] : [['Host', 'localhost']]),
    ...(has('connection') ? [] : [['Connection', 'close']]),
    ...(bytes === undefined || has('content-length') || has('transfer-encoding')
      ? []
      : [['Content-Length', String(bytes.length)]]),
    ...headers,
  ].map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${bytes ?? ''}`
}

/** Encodes a text as UTF-8 and returns the bytes as a latin1 string, one character per byte. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/**
 * Connects, sends a request and reads one response.
 * @param request bytes (latin1), or a function that writes to the socket
 * @throws after 30 seconds, so that no test hangs
 */
export function exchange(url: string, request: string | ((socket: Socket) => void)): Promise<RawResponse> {
  const { hostname, port } = new URL(url)
  const write = typeof request === 'string' ? (socket: Socket) => socket.write(request, 'latin1') : request
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ host: hostname, port: Number(port) }, () => write(socket))
    const timer = setTimeout(() => end(() => reject(new Error('no response within 120 seconds'))), 120_000)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const response = parseResponse(Buffer.concat(chunks))
      if (response.isComplete) end(() => resolve(response))
    })
    // A reset can follow a response that has already arrived.
    socket.on('error', () => {})
    socket.on('close', () => end(() => resolve(parseResponse(Buffer.concat(chunks)))))

    function end(settle: () => void) {
      clearTimeout(timer)
      socket.destroy()
      settle()
    }
  })
}

function parseResponse(received: Buffer): RawResponse & { isComplete: boolean } {
  const bytes = received.toString('latin1').replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return { status: 0, headers: {}, text: bytes, isComplete: false }
  const [statusLine = '', ...lines] = bytes.slice(0, headEnd).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  const body = bytes.slice(headEnd + 4)
  const length = headers['content-length']
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    text: Buffer.from(body, 'latin1').toString('utf8'),
    isComplete: length !== undefined && body.length >= Number(length),
  }
}
