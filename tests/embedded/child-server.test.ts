// Servers as children of ours: found whatever they print, and never left behind.
import { expect, test } from 'vitest'
import { startChildServer } from '../../src/embedded/child-server.ts'

const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('the id of a program is its own, even when it speaks before anything else does', async () => {
  // Many at once: on a busy machine whoever started it may come to say so late.
  const starts = Array.from({ length: 300 }, async (_, index) => {
    const server = await startChildServer(['sh', '-c', `echo "pid 1 of ${index}"; exec sleep 60`])
    const wasThere = isThere(server.pid)
    await server.stop()
    return { wasThere, isLeft: isThere(server.pid), isOurs: server.pid > 1 }
  })
  const seen = await Promise.all(starts)
  expect(seen.filter(({ wasThere, isLeft, isOurs }) => !wasThere || isLeft || !isOurs)).toEqual([])
})
