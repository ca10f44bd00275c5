// Keeps a valid certificate: orders the first one, and renews it before it expires. After a failure the
// current certificate stays, and the order is repeated with a growing delay.
import { messageOf } from '../base/errors.ts'
import { startLoop } from '../base/loop.ts'
import { orderCertificate } from './acme-order.ts'
import { AcmeRefusal, AcmeServerFault } from './acme-requests.ts'
import { type CertificateFolder, generateKey, type StoredCertificate } from './certificate-file.ts'
import { dueInMs, isDue, isOverdue, retryDelayMs } from './renewal-rule.ts'

export interface RenewalOptions {
  domain: string
  directoryUrl: string
  email: string | undefined
  files: CertificateFolder
  log: {
    info(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}

export interface Renewal {
  /**
   * False if the loop does not run, if the certificate file cannot be read, or if renewals have failed until
   * the certificate is almost or fully expired.
   */
  isHealthy(): boolean
  /** Aborts a running order. */
  stop(): Promise<void>
}

// Longest pause, so that a clock that was corrected is noticed.
const CHECK_MS = 60 * 60_000
// An order takes about ten seconds. This limit ends an order that the server never finishes.
const ORDER_LIMIT_MS = 10 * 60_000
// A new process first tries to renew an old certificate; until then its age is no fault. Without this limit,
// a host with an expired certificate could not start (`docker compose up --wait`).
const START_MS = 10 * 60_000
// How much later than expected a round may end on a busy machine.
const LATE_MS = 60_000

export function startRenewal(options: RenewalOptions): Renewal {
  const { domain, directoryUrl, files, log } = options
  const startedMs = performance.now()
  let stored: StoredCertificate | undefined
  let isReadable = true
  let failures = 0
  // The time of `performance.now()` at which the current round or pause must have ended.
  let expectedMs = startedMs + ORDER_LIMIT_MS

  const loop = startLoop({ intervalMs: Number.POSITIVE_INFINITY, body: round, onError: () => {} })
  return {
    isHealthy() {
      const now = performance.now()
      const isTooOld = stored !== undefined && isOverdue(stored, new Date()) && now > startedMs + START_MS
      return now < expectedMs + LATE_MS && isReadable && !isTooOld
    },
    stop: () => loop.stop(),
  }

  async function round(stopping: AbortSignal): Promise<number> {
    expectedMs = performance.now() + ORDER_LIMIT_MS
    const pauseMs = await renewIfDue(AbortSignal.any([stopping, AbortSignal.timeout(ORDER_LIMIT_MS)])).catch(
      (error) => {
        if (!stopping.aborted) logFailure(error)
        return retryDelayMs(failures)
      },
    )
    expectedMs = performance.now() + pauseMs
    return pauseMs
  }

  /** @returns the pause before the next check, in milliseconds */
  async function renewIfDue(signal: AbortSignal): Promise<number> {
    stored = await files.read(domain).catch((error) => {
      isReadable = false
      throw error
    })
    isReadable = true
    if (isDue(stored, directoryUrl, new Date())) {
      stored = await renew(signal)
      const { serial, validTo } = stored
      log.info({ domain, serial, validTo }, 'The certificate was issued')
      // Without this, a host whose clock is ahead would order one certificate after the other.
      if (isDue(stored, directoryUrl, new Date())) throw new Error(clockFaultOf(stored))
    }
    failures = 0
    return stored ? Math.min(Math.max(dueInMs(stored, new Date()), 1_000), CHECK_MS) : CHECK_MS
  }

  async function renew(signal: AbortSignal): Promise<StoredCertificate> {
    await files.probe(domain)
    const key = stored?.key ?? generateKey()
    const chain = await orderCertificate({
      ...options,
      accountKey: await files.accountKey(),
      key,
      publish: files.publishChallenge,
      unpublish: files.removeChallenge,
      signal,
    })
    return files.write(domain, { key, chain, directoryUrl })
  }

  function logFailure(error: unknown): void {
    failures++
    const nextAttempt = new Date(Date.now() + retryDelayMs(failures))
    log.error({ domain, nextAttempt, validTo: stored?.validTo }, reasonOf(error))
  }

  function clockFaultOf({ validFrom, validTo }: StoredCertificate): string {
    const [from, to, now] = [validFrom, validTo, new Date()].map((time) => time.toISOString())
    return `the new certificate is valid from ${from} to ${to}, and the clock of this host is at ${now}`
  }

  function reasonOf(error: unknown): string {
    if (error instanceof AcmeRefusal)
      return `The ACME server ${directoryUrl} refused the certificate for ${domain}: ${error.message}`
    if (error instanceof AcmeServerFault)
      return `The request to the ACME server ${directoryUrl} failed: ${error.message}`
    if (error instanceof DOMException && error.name === 'TimeoutError')
      return `The ACME server ${directoryUrl} has not issued the certificate for ${domain} within ten minutes`
    return `The certificate for ${domain} could not be renewed: ${messageOf(error)}`
  }
}
