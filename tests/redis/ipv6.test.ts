// Redis at an IPv6 address, which a URL writes in brackets.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { createQueue } from '../../src/redis/queue.ts'
import { createRateLimiter } from '../../src/redis/rate-limiter.ts'
import { createSignals } from '../../src/redis/signals.ts'
import { until } from '../support/system.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((entries) =>
  entries?.some(({ address }) => address === '::1'),
)

test.skipIf(!hasIpv6)('queue, signals and rate limiter reach Redis at redis://[::1]', async () => {
  const port = await freePort()
  const server = spawn('redis-server', ['--bind', '::1', '--port', String(port), '--save', ''])
  onTestFinished(async () => {
    server.kill('SIGTERM')
    await once(server, 'exit')
  })
  const redisUrl = `redis://[::1]:${port}`
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const queue = createQueue({ redisUrl, onError })
  const signals = createSignals({ redisUrl, onError })
  const limiter = createRateLimiter({ redisUrl, onError, limit: { requests: 5, seconds: 60 } })
  onTestFinished(async () => {
    await Promise.all([queue.stop(), signals.stop(), limiter.stop()])
  })
  await queue.prepare('default')
  expect(queue.isReady('default')).toBe(true)
  await new Promise<void>((resolve) => signals.listen('ended', () => {}, resolve))
  await until(
    () => limiter.count('client'),
    (state) => state !== null,
  )
})
