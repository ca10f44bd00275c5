// A line with a delay between a client and nginx: what is on its way when something changes is what gets lost.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface SlowLine {
  /** Where its near end listens. */
  url: string
  close(): void
}

/** Every byte arrives `delayMs` later, in either direction; so does the end of a connection. */
export async function openSlowLine(url: string, delayMs: number): Promise<SlowLine> {
  const { hostname, port } = new URL(url)
  const ends = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    pass(near, far)
    pass(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close() {
      server.close()
      for (const end of ends) end.destroy()
    },
  }

  function pass(from: Socket, to: Socket) {
    ends.add(from)
    const later = (act: () => void) => setTimeout(act, delayMs)
    from.on('data', (bytes) => later(() => to.writable && to.write(bytes)))
    from.on('end', () => later(() => to.end()))
    from.on('error', () => later(() => to.resetAndDestroy()))
    from.on('close', () => {
      ends.delete(from)
      later(() => to.destroySoon())
    })
  }
}
