// The private Redis of an embedded system: it is ours, or it is none.

import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

/** Somebody who was faster. */
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
  ['answers something else', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['wants another password', (socket: Socket) => socket.end('-WRONGPASS invalid password\r\n')],
  ['says nothing', () => {}],
])('a port that was taken meanwhile by one who %s is given up for another', async (_, greet) => {
  const taken = await occupy(greet)
  const redis = await start([taken])
  expect(new URL(redis.url).port).not.toBe(String(taken))
})

test('when no port can be had, that is said', async () => {
  const taken = await occupy((socket) => socket.end('-ERR\r\n'))
  await expect(start([taken, taken, taken])).rejects.toThrow(`Port ${taken} was taken`)
})
