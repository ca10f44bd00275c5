import { defineTask, PermanentError, RetryLaterError } from 'waggle-tasks'
import { z } from 'zod'

const charged = z.object({ charge: z.string() })

export const chargeCard = defineTask({
  name: 'charge_card',
  title: 'Charge a card',
  description: 'Asks the payment API at the URL to charge the card of an order.',
  input: z.object({ order: z.string().min(1).max(100), cents: z.int().positive(), url: z.url() }),
  output: charged,
  example: { order: 'o-1', cents: 1_999, url: 'https://payments.example.com/charges' },
  maxRetries: 8,
  backoff: { baseMs: 1_000, capMs: 600_000 },
  timeoutMs: 20_000,
  rateLimit: { limit: 10, perSeconds: 1 },
  async run({ order, cents, url }, { id, signal }) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': id },
      body: JSON.stringify({ order, cents }),
      signal,
    })
    if (response.ok) return charged.parse(await response.json())
    throw errorOf(response.status, response.headers.get('Retry-After'), await response.text())
  },
})

// Another attempt can succeed after these: timeout, a request with the same key is under way, too early, throttled.
const TEMPORARY = new Set([408, 409, 425, 429])
const DAY_MS = 86_400_000

function errorOf(status: number, retryAfter: string | null, body: string): Error {
  const message = `The payment API responded with ${status}: ${body.slice(0, 200)}`
  if (status < 500 && !TEMPORARY.has(status)) return new PermanentError(message)
  // Retry-After is a number of seconds or a date. Without a valid one, `backoff` decides.
  const seconds = Number(retryAfter)
  const delayMs = Number.isNaN(seconds) ? Date.parse(`${retryAfter}`) - Date.now() : seconds * 1_000
  return delayMs > 0
    ? new RetryLaterError(message, { delayMs: Math.min(delayMs, DAY_MS) })
    : new Error(message)
}
