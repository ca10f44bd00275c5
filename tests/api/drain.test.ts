// A server that is replaced gives its clients time to close their connections.
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startServer } from '../../src/api/server.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

async function open(port: number) {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const request = async () => {
    socket.write(REQUEST)
    const [response] = await once(socket, 'data')
    return String(response)
  }
  return { socket, request }
}

test('a request on an open connection gets a response that closes it; new connections are refused', async () => {
  const server = await startServer(() => new Response('ok'), { host: '127.0.0.1', port: 0 })
  const { socket, request } = await open(server.port)
  expect(await request()).toContain('keep-alive')
  const drained = server.drain(60_000)
  await expect(open(server.port)).rejects.toThrow('ECONNREFUSED')
  expect(await request()).toContain('Connection: close')
  await once(socket, 'close')
  await drained
  await server.stop()
})

test('after the limit, stop closes idle connections', async () => {
  const server = await startServer(() => new Response('ok'), { host: '127.0.0.1', port: 0 })
  const { socket, request } = await open(server.port)
  await request()
  await server.drain(10)
  expect(socket.readyState).toBe('open')
  const closed = once(socket, 'close')
  await server.stop()
  await closed
})
