// The health of the renewal, with a clock that the tests move.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { orderCertificate } from '../../src/certificates/acme-order.ts'
import {
  type CertificateFolder,
  generateKey,
  type StoredCertificate,
} from '../../src/certificates/certificate-file.ts'
import { type Renewal, startRenewal } from '../../src/certificates/renewal.ts'

const SERVER = 'https://acme.invalid/directory'
const DAY_MS = 24 * 60 * 60_000
const MINUTE_MS = 60_000

vi.mock(import('../../src/certificates/acme-order.ts'), { spy: true })

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
  vi.mocked(orderCertificate).mockReset()
})

/** Starts the renewal of a certificate that is valid for 90 days and has some of them left. */
function start(
  read: () => Promise<StoredCertificate | undefined>,
  others: Partial<CertificateFolder> = {},
): Renewal {
  const accountKey = async () => generateKey()
  const files = { read, accountKey, probe: async () => {}, ...others } as CertificateFolder
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

test('without a certificate the renewal is healthy, and failures are logged with growing pauses', async () => {
  const { isHealthy } = start(async () => undefined)
  // Attempts after 0, 2, 6, 14, 30 and 62 minutes.
  await vi.advanceTimersByTimeAsync(61 * MINUTE_MS)
  expect(failures).toHaveLength(5)
  expect(failures[0]).toBe(
    `The request to the ACME server ${SERVER} failed: connect ECONNREFUSED 192.0.2.1:443`,
  )
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

test('a new certificate that is already due counts as a failure, and the message contains the time of this host', async () => {
  vi.mocked(orderCertificate).mockResolvedValue('chain')
  const stored = certificateWith({ daysLeft: 20 })
  start(async () => undefined, { write: async () => stored })
  await vi.advanceTimersByTimeAsync(61 * MINUTE_MS)
  expect(failures).toHaveLength(5)
  expect(failures[0]).toMatch(
    /the new certificate is valid from \S+ to \S+, and the clock of this host is at 20/,
  )
})

test('every reason of a failed connection is logged', async () => {
  const errors = ['::1', '127.0.0.1'].map((address) => new Error(`connect ECONNREFUSED ${address}:443`))
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('fetch failed', { cause: new AggregateError(errors) })
  })
  start(async () => undefined)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(failures[0]).toBe(
    `The request to the ACME server ${SERVER} failed: connect ECONNREFUSED ::1:443; connect ECONNREFUSED 127.0.0.1:443`,
  )
})

test('a certificate file that cannot be read is unhealthy until it can be read', async () => {
  const stored = certificateWith({ daysLeft: 60 })
  let isReadable = false
  const { isHealthy } = start(async () => {
    if (isReadable) return stored
    throw new Error('example.com.pem is not valid')
  })
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect([isHealthy(), failures]).toEqual([
    false,
    ['The certificate for example.com could not be renewed: example.com.pem is not valid'],
  ])
  isReadable = true
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS)
  expect(isHealthy()).toBe(true)
})

test('nothing is ordered if a new certificate could not be stored', async () => {
  const probe = async () => {
    throw new Error('ENOSPC: no space left on device')
  }
  start(async () => undefined, { probe })
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(failures[0]).toContain('ENOSPC')
  expect(orderCertificate).not.toHaveBeenCalled()
})
