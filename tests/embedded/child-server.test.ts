// Servers started as child processes: their process id is read correctly, and stopping ends them.
import { expect, test } from 'vitest'
import { startChildServer } from '../../src/embedded/child-server.ts'

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('the reported pid is that of the program, even when the program prints a pid first', async () => {
  // Start them in parallel. On a busy machine a start can be reported late.
  const starts = Array.from({ length: 300 }, async (_, index) => {
    const server = await startChildServer(['sh', '-c', `echo "pid 1 of ${index}"; exec sleep 60`])
    const wasRunning = isRunning(server.pid)
    await server.stop()
    return { wasRunning, isStillRunning: isRunning(server.pid), isValidPid: server.pid > 1 }
  })
  const seen = await Promise.all(starts)
  const wrong = seen.filter((pid) => !pid.wasRunning || pid.isStillRunning || !pid.isValidPid)
  expect(wrong).toEqual([])
})
