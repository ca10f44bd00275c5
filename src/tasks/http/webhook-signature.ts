// Signs what is sent, so that a receiver can tell that it is ours: Standard Webhooks (standardwebhooks.com, 1.0).
import { Webhook } from 'standardwebhooks'

/** Headers for exactly this body. With several secrets any of them verifies, so that they can be changed in peace. */
export type SignWebhook = (id: string, body: string, at: Date) => Record<string, string>

/** @param secrets each `whsec_` and base64; null where there is none, and nothing can be signed */
export function createWebhookSigner(secrets: readonly string[]): SignWebhook | null {
  if (secrets.length === 0) return null
  const webhooks = secrets.map((secret) => new Webhook(secret))
  return (id, body, at) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': webhooks.map((webhook) => webhook.sign(id, at, body)).join(' '),
  })
}
