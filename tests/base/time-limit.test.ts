// Time limits and a blocked event loop.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { startTimeLimit } from '../../src/base/time-limit.ts'

function block(ms: number) {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('a time limit ends after its time', async () => {
  const startedMs = performance.now()
  await new Promise<void>((resolve) => startTimeLimit(50, resolve))
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(49)
})

test('a cleared time limit does not end', async () => {
  let isDue = false
  startTimeLimit(20, () => {
    isDue = true
  }).clear()
  await pause(60)
  expect(isDue).toBe(false)
})

test('an answer that arrives while the event loop is blocked is read before the time limit ends', async () => {
  const server = createServer((socket) => socket.end('answer')).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const first = await new Promise<string>((resolve) => {
    socket.once('data', () => resolve('answer'))
    startTimeLimit(300, () => resolve('time limit'))
    block(1_500)
  })
  expect(first).toBe('answer')
})

test('a time limit that is blocked again and again ends after at most twice its time without blocks', async () => {
  let isDue = false
  startTimeLimit(600, () => {
    isDue = true
  })
  let blocks = 0
  while (!isDue) {
    block(1_300)
    blocks++
    await pause(1)
  }
  expect(blocks).toBeLessThanOrEqual(3)
})

test('a time limit can be cleared after it was extended', async () => {
  let isDue = false
  const limit = startTimeLimit(100, () => {
    isDue = true
  })
  block(800)
  await pause(1)
  limit.clear()
  await pause(200)
  expect(isDue).toBe(false)
})
