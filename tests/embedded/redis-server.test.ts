// The embedded Redis server: it starts on a free port, never on one that another program has taken.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

/** Listens on a port, like another program that took it first. */
async function occupy(greet: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer(greet).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  running.push({
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function start(ports: number[]): Promise<RedisServer> {
  const redis = await startRedisServer(async () => ports.shift() ?? freePort())
  running.push(redis)
  return redis
}

test.each([
  ['speaks another protocol', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['rejects the password', (socket: Socket) => socket.end('-WRONGPASS invalid password\r\n')],
  ['sends nothing', () => {}],
])('another port is used when the first was taken by a program that %s', async (_, greet) => {
  const taken = await occupy(greet)
  const redis = await start([taken])
  expect(new URL(redis.url).port).not.toBe(String(taken))
})

test('the start fails with "Port … was taken" when every port is taken', async () => {
  const taken = await occupy((socket) => socket.end('-ERR\r\n'))
  await expect(start([taken, taken, taken])).rejects.toThrow(`Port ${taken} was taken`)
})
