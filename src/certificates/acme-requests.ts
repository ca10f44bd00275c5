// Signed requests to an ACME server (RFC 8555, 6): each is a JWS with a nonce of the server.
import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { z } from 'zod'
import { messageOf } from '../base/errors.ts'

/**
 * The server has refused a request, or offers no challenge HTTP-01. The message contains its reason, if it
 * gave one.
 */
export class AcmeRefusal extends Error {
  override readonly name = 'AcmeRefusal'
}

/** The server did not respond, or its response does not follow RFC 8555. */
export class AcmeServerFault extends Error {
  override readonly name = 'AcmeServerFault'
}

export interface AcmeResponse {
  text: string
  /** URL of the resource that the request has created; empty otherwise. */
  location: string
  retryAfterSeconds: number | undefined
}

export interface AcmeRequests {
  directory: Directory
  /** Sends a payload. `null` only reads the resource (POST-as-GET, RFC 8555, 6.3). */
  post(url: string, payload: object | null): Promise<AcmeResponse>
  /** Creates the account, or finds it by its key, and uses it from then on. */
  openAccount(payload: object): Promise<void>
  /** Returns the response to a challenge with this token (RFC 8555, 8.1). */
  keyAuthorizationOf(token: string): string
}

const directorySchema = z.object({ newNonce: z.url(), newAccount: z.url(), newOrder: z.url() })
type Directory = z.output<typeof directorySchema>

/** A problem document (RFC 7807). */
export const problemSchema = z.object({
  type: z.string().optional(),
  detail: z.string().optional(),
  subproblems: z.array(z.object({ detail: z.string().optional() })).optional(),
})
export type Problem = z.output<typeof problemSchema>

const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce'
// Servers may reject any nonce, for example after a restart; Pebble rejects five in a hundred on purpose.
const MAX_NONCES = 10
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Reads the directory of an ACME server.
 * @param accountKey an ECDSA P-256 key
 * @param signal aborts all requests
 * @throws AcmeRefusal, AcmeServerFault (all functions)
 */
export async function connectToAcme(
  directoryUrl: string,
  accountKey: KeyObject,
  signal: AbortSignal,
): Promise<AcmeRequests> {
  const jwk = jwkOf(accountKey)
  const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
  let nonce: string | null = null
  let account: string | undefined

  const directory = parseAs(directorySchema, (await request(directoryUrl, { method: 'GET' })).text)
  return {
    directory,
    post,
    async openAccount(payload) {
      account = (await post(directory.newAccount, payload)).location
    },
    keyAuthorizationOf: (token) => `${token}.${thumbprint}`,
  }

  async function post(url: string, payload: object | null): Promise<AcmeResponse> {
    for (let sent = 1; ; sent++) {
      const used = nonce ?? (await newNonce())
      nonce = null
      const body = signedBody({ url, nonce: used, ...(account ? { kid: account } : { jwk }) }, payload)
      const { status, text, ...response } = await request(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/jose+json' },
        body,
      })
      if (status < 400) return { text, ...response }
      const problem = problemOf(text)
      if (problem?.type !== BAD_NONCE || sent === MAX_NONCES)
        throw new AcmeRefusal(problem ? detailOf(problem) : `the response has the status ${status}`)
    }
  }

  async function newNonce(): Promise<string> {
    await request(directory.newNonce, { method: 'HEAD' })
    if (nonce === null) throw new AcmeServerFault('its response contains no nonce')
    return nonce
  }

  async function request(url: string, init: RequestInit) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
    const headers = { 'User-Agent': 'waggle', ...init.headers }
    try {
      const response = await fetch(url, { ...init, headers, signal: limit })
      const text = await response.text()
      nonce = response.headers.get('Replay-Nonce') ?? nonce
      if (response.status >= 500 && !problemOf(text))
        throw new AcmeServerFault(`its response has the status ${response.status}`)
      const retryAfterSeconds = Number(response.headers.get('Retry-After') ?? Number.NaN)
      return {
        status: response.status,
        text,
        location: response.headers.get('Location') ?? '',
        retryAfterSeconds: Number.isFinite(retryAfterSeconds) ? retryAfterSeconds : undefined,
      }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof AcmeServerFault) throw error
      // The message of fetch itself is "fetch failed"; its cause names the reason.
      const cause = error instanceof Error ? error.cause : undefined
      throw new AcmeServerFault(messagesOf(cause ?? error), { cause: error })
    }
  }

  function signedBody(header: object, payload: object | null): string {
    const protectedPart = base64(JSON.stringify({ alg: 'ES256', ...header }))
    const payloadPart = payload === null ? '' : base64(JSON.stringify(payload))
    const signature = sign('sha256', Buffer.from(`${protectedPart}.${payloadPart}`), {
      key: accountKey,
      dsaEncoding: 'ieee-p1363',
    })
    return JSON.stringify({
      protected: protectedPart,
      payload: payloadPart,
      signature: signature.toString('base64url'),
    })
  }
}

/** Parses a response of the server. @throws AcmeServerFault if it does not follow the schema */
export function parseAs<T>(schema: z.ZodType<T>, text: string): T {
  const { success, data } = schema.safeParse(jsonOf(text))
  if (!success) throw new AcmeServerFault(`its response does not follow RFC 8555: ${text.slice(0, 200)}`)
  return data
}

/** Returns the explanation of a problem, with those of its parts. */
export function detailOf({ detail, type, subproblems = [] }: Problem): string {
  const details = [detail, ...subproblems.map((part) => part.detail)].filter((text) => text !== undefined)
  return details.join('; ') || type || 'no reason was given'
}

function problemOf(text: string): Problem | undefined {
  const { data } = problemSchema.safeParse(jsonOf(text))
  return data?.type === undefined && data?.detail === undefined ? undefined : data
}

/**
 * A server with several addresses has one error per address; the message of their AggregateError is empty.
 */
const messagesOf = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : messageOf(error)

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64url')

/** Returns the public key with its members in the order that the thumbprint needs (RFC 7638, 3). */
function jwkOf(key: KeyObject) {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' })
  return { crv, kty, x, y }
}
