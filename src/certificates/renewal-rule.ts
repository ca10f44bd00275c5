// Decides when a certificate is renewed, and when its age is a fault.
import type { StoredCertificate } from './certificate-file.ts'

type Validity = Pick<StoredCertificate, 'validFrom' | 'validTo'>

// Let's Encrypt recommends a renewal with a third of the lifetime left: 30 of 90 days, 2 of 6 days.
const RENEW_BELOW = 1 / 3
// With less than this left, renewals have failed for more than a tenth of the lifetime.
const OVERDUE_BELOW = 1 / 5

/**
 * Delay after the first failure, in milliseconds. It doubles with each further failure, up to the maximum.
 */
const FIRST_RETRY_MS = 2 * 60_000
const MAX_RETRY_MS = 6 * 60 * 60_000

/** Returns the part of the lifetime that is left: 1 for a new certificate, 0 or less for an expired one. */
export function lifetimeLeft({ validFrom, validTo }: Validity, now: Date): number {
  return (validTo.getTime() - now.getTime()) / (validTo.getTime() - validFrom.getTime())
}

/**
 * Whether a certificate must be ordered: there is none, less than a third of its lifetime is left, or another
 * ACME server issued it.
 */
export function isDue(
  stored: (Validity & Pick<StoredCertificate, 'directoryUrl'>) | undefined,
  directoryUrl: string,
  now: Date,
): boolean {
  return !stored || stored.directoryUrl !== directoryUrl || lifetimeLeft(stored, now) < RENEW_BELOW
}

/** Whether a certificate has so little lifetime left that its renewal must have failed several times. */
export function isOverdue(stored: Validity, now: Date): boolean {
  return lifetimeLeft(stored, now) < OVERDUE_BELOW
}

/** Returns the time from now until the certificate is due, in milliseconds; 0 or less if it is due. */
export function dueInMs({ validFrom, validTo }: Validity, now: Date): number {
  const lifetimeMs = validTo.getTime() - validFrom.getTime()
  return validTo.getTime() - lifetimeMs * RENEW_BELOW - now.getTime()
}

/**
 * Returns the delay before the next order after a number of failures in succession, in milliseconds. The
 * first hour has five attempts (after 0, 2, 6, 14 and 30 minutes), which is the limit of Let's Encrypt: five
 * failed validations per name and hour.
 */
export function retryDelayMs(failures: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS)
}
