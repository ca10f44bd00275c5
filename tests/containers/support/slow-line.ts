// A TCP proxy that delays the bytes between a client and nginx. Only with a delay are requests on their way
// while nginx changes its target; such requests are the ones that a rollout could lose.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface SlowLine {
  /** The URL that clients connect to. */
  url: string
  close(): void
}

/** Delays every byte and the end of a connection by `delayMs`, in both directions. */
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
    const afterDelay = (act: () => void) => setTimeout(act, delayMs)
    from.on('data', (bytes) => afterDelay(() => to.writable && to.write(bytes)))
    from.on('end', () => afterDelay(() => to.end()))
    from.on('error', () => afterDelay(() => to.resetAndDestroy()))
    from.on('close', () => {
      ends.delete(from)
      afterDelay(() => to.destroySoon())
    })
  }
}
