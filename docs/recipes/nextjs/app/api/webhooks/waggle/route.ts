import { Webhook, WebhookVerificationError } from 'standardwebhooks'

export async function POST(request: Request) {
  // The signature is that of the bytes, so read them before they are parsed.
  const body = await request.text()
  const webhook = new Webhook(process.env.WEBHOOK_SECRET ?? '')
  try {
    const { type, data } = webhook.verify(body, Object.fromEntries(request.headers)) as Event
    // The same event can arrive twice: store what you do under the id of the task.
    console.log(type, data.id, data.result?.text)
    return new Response(null, { status: 204 })
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error
    return new Response('The signature is not valid', { status: 401 })
  }
}

interface Event {
  type: 'task.success' | 'task.failure' | 'task.cancelled'
  data: { id: string; result: { text: string } | null }
}
