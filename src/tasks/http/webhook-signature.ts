// Signs requests by Standard Webhooks 1.0 (standardwebhooks.com), so that receivers can verify their origin.
import { Webhook } from 'standardwebhooks'

/**
 * Returns the signature headers for a request body, with one signature per secret. Receivers accept a request
 * if one signature verifies, so secrets can be rotated.
 */
export type SignWebhook = (id: string, body: string, at: Date) => Record<string, string>

/**
 * Creates the function that signs requests; null if there are no secrets.
 * @param secrets each is `whsec_` followed by base64
 */
export function createWebhookSigner(secrets: readonly string[]): SignWebhook | null {
  if (secrets.length === 0) return null
  const webhooks = secrets.map((secret) => new Webhook(secret))
  return (id, body, at) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': webhooks.map((webhook) => webhook.sign(id, at, body)).join(' '),
  })
}
