// The health of the renewal, with a clock that the tests move.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type CertificateFolder,
  generateKey,
  type StoredCertificate,
} from '../../src/certificates/certificate-file.ts'
import { type Renewal, startRenewal } from '../../src/certificates/renewal.ts'

const SERVER = 'https://acme.invalid/directory'
const DAY_MS = 24 * 60 * 60_000
const MINUTE_MS = 60_000

let renewal: Renewal | undefined
const failures: string[] = []
beforeEach(() => {
  failures.length = 0
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
  // No ACME server can be reached.
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 192.0.2.1:443') })
  })
})
afterEach(async () => {
  await renewal?.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** Starts the renewal of a certificate that is valid for 90 days and has some of them left. */
function start(read: () => Promise<StoredCertificate | undefined>): Renewal {
  const files = { read, accountKey: async () => generateKey() } as unknown as CertificateFolder
  const log = { info: () => {}, error: (_: object, message: string) => void failures.push(message) }
  renewal = startRenewal({ domain: 'example.com', directoryUrl: SERVER, email: undefined, files, log })
  return renewal
}

function certificateWith({ daysLeft }: { daysLeft: number }): StoredCertificate {
  const validTo = new Date(Date.now() + daysLeft * DAY_MS)
  const validFrom = new Date(validTo.getTime() - 90 * DAY_MS)
  return { key: generateKey(), directoryUrl: SERVER, serial: '1', validFrom, validTo }
}

test('a certificate that is not due is healthy, and no server is asked', async () => {
  const stored = certificateWith({ daysLeft: 60 })
  const { isHealthy } = start(async () => stored)
  await vi.advanceTimersByTimeAsync(DAY_MS)
  expect([isHealthy(), failures]).toEqual([true, []])
})

test('without a certificate it is healthy, and failures are logged with growing pauses', async () => {
  const { isHealthy } = start(async () => undefined)
  // Attempts after 0, 2, 6, 14, 30 and 62 minutes.
  await vi.advanceTimersByTimeAsync(61 * MINUTE_MS)
  expect(failures).toHaveLength(5)
  expect(failures[0]).toBe(`The ACME server ${SERVER} cannot be reached: connect ECONNREFUSED 192.0.2.1:443`)
  expect(isHealthy()).toBe(true)
})

test.each([
  ['an expired certificate', -1],
  ['a certificate with less than a fifth of its lifetime', 17],
])('%s is unhealthy, but not in the first ten minutes, in which it can be renewed', async (_, daysLeft) => {
  const stored = certificateWith({ daysLeft })
  const { isHealthy } = start(async () => stored)
  await vi.advanceTimersByTimeAsync(9 * MINUTE_MS)
  expect(isHealthy()).toBe(true)
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS)
  expect(isHealthy()).toBe(false)
})

test('a certificate with a quarter of its lifetime left is due and healthy', async () => {
  const stored = certificateWith({ daysLeft: 22 })
  const { isHealthy } = start(async () => stored)
  await vi.advanceTimersByTimeAsync(11 * MINUTE_MS)
  expect([isHealthy(), failures.length]).toEqual([true, 3])
})

test('a round that does not end is unhealthy', async () => {
  const stuck = Promise.withResolvers<undefined>()
  const { isHealthy } = start(() => stuck.promise)
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
  expect(isHealthy()).toBe(true)
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS)
  expect(isHealthy()).toBe(false)
  stuck.resolve(undefined)
})
