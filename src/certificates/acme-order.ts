// Orders a certificate from an ACME server (RFC 8555, 7.4) with the challenge HTTP-01.
import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { pause } from '../base/loop.ts'
import {
  AcmeRefusal,
  type AcmeRequests,
  type AcmeResponse,
  AcmeServerFault,
  connectToAcme,
  detailOf,
  parseAs,
  problemSchema,
} from './acme-requests.ts'
import { isIPv4 } from './certificate-settings.ts'
import { createSigningRequest } from './signing-request.ts'

export interface AcmeOrder {
  directoryUrl: string
  email: string | undefined
  domain: string
  accountKey: KeyObject
  /** Private key of the certificate. */
  key: KeyObject
  /** Makes `http://<domain>/.well-known/acme-challenge/<token>` respond with a text. */
  publish(token: string, response: string): Promise<void>
  unpublish(token: string): Promise<void>
  signal: AbortSignal
}

const orderSchema = z.object({
  status: z.string(),
  authorizations: z.array(z.url()),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: problemSchema.optional(),
})
const challengeSchema = z.object({
  type: z.string(),
  url: z.url(),
  token: z.string().optional(),
  error: problemSchema.optional(),
})
const authorizationSchema = z.object({ status: z.string(), challenges: z.array(challengeSchema) })

/**
 * Orders a certificate, and waits until it is issued.
 * @returns the certificate and its intermediate certificates, in PEM
 * @throws AcmeRefusal, AcmeServerFault; the reason of `signal` if it is aborted
 */
export async function orderCertificate(order: AcmeOrder): Promise<string> {
  const { domain, directoryUrl, email, accountKey, signal } = order
  const acme = await connectToAcme(directoryUrl, accountKey, signal)
  await acme.openAccount({ termsOfServiceAgreed: true, ...(email && { contact: [`mailto:${email}`] }) })
  const { location, text } = await acme.post(acme.directory.newOrder, orderOf(domain))
  for (const url of parseAs(orderSchema, text).authorizations) await proveControl(acme, url, order)
  const { finalize } = await untilOrder(acme, location, signal, 'ready')
  await acme.post(finalize, { csr: createSigningRequest(domain, order.key).toString('base64url') })
  const { certificate } = await untilOrder(acme, location, signal, 'valid')
  if (!certificate) throw new AcmeServerFault('its valid order has no certificate')
  return (await acme.post(certificate, null)).text
}

/**
 * Let's Encrypt issues certificates for addresses only with its profile `shortlived`: they are valid for six
 * days.
 */
function orderOf(domain: string): object {
  return isIPv4(domain)
    ? { identifiers: [{ type: 'ip', value: domain }], profile: 'shortlived' }
    : { identifiers: [{ type: 'dns', value: domain }] }
}

/** Proves to the server that the domain leads to this host. */
async function proveControl(acme: AcmeRequests, url: string, order: AcmeOrder): Promise<void> {
  const { status, challenges } = parseAs(authorizationSchema, (await acme.post(url, null)).text)
  // An authorization stays valid for some time, so a new order may need no new challenge.
  if (status === 'valid') return
  const challenge = challenges.find(({ type }) => type === 'http-01')
  if (!challenge?.token) throw new AcmeRefusal('it does not offer the challenge HTTP-01 for this name')
  const { token } = challenge
  await order.publish(token, acme.keyAuthorizationOf(token))
  try {
    await acme.post(challenge.url, {})
    await untilState(acme, url, order.signal, (text) => {
      const current = parseAs(authorizationSchema, text)
      if (current.status === 'valid') return current
      if (current.status === 'pending') return undefined
      const failed = current.challenges.find(({ error }) => error)
      throw new AcmeRefusal(failed?.error ? detailOf(failed.error) : `the authorization is ${current.status}`)
    })
  } finally {
    await order.unpublish(token)
  }
}

/** Waits until the order has the given status, or is valid. @throws AcmeRefusal if it is invalid */
function untilOrder(acme: AcmeRequests, url: string, signal: AbortSignal, wanted: 'ready' | 'valid') {
  return untilState(acme, url, signal, (text) => {
    const current = parseAs(orderSchema, text)
    if (current.status === wanted || current.status === 'valid') return current
    if (current.status === 'invalid')
      throw new AcmeRefusal(current.error ? detailOf(current.error) : 'the order is invalid')
    return undefined
  })
}

/** Reads a resource until `stateOf` returns a value. */
async function untilState<T>(
  acme: AcmeRequests,
  url: string,
  signal: AbortSignal,
  stateOf: (text: string) => T | undefined,
): Promise<T> {
  for (;;) {
    const response: AcmeResponse = await acme.post(url, null)
    const state = stateOf(response.text)
    if (state !== undefined) return state
    // Retry-After names the pause; the default is 2 s. At least 1 s limits the load on the server, and at
    // most 60 s leaves attempts within the ten minutes of an order.
    await pause(Math.min(Math.max(response.retryAfterSeconds ?? 2, 1), 60) * 1_000, signal)
    signal.throwIfAborted()
  }
}
