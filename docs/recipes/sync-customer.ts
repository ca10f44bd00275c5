import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const syncCustomer = defineTask({
  name: 'sync_customer',
  title: 'Sync a customer',
  description: 'Sends a customer to the service at the URL.',
  input: z.object({ customer: z.string().min(1).max(200), url: z.url() }),
  output: z.object({ status: z.int() }),
  example: { customer: 'c-1', url: 'https://crm.example.com/customers' },
  concurrency: { limit: 1, key: ({ customer }) => customer },
  rateLimit: { limit: 5, perSeconds: 1 },
  async run({ customer, url }, { signal }) {
    const response = await fetch(`${url}/${encodeURIComponent(customer)}`, { method: 'POST', signal })
    if (!response.ok) throw new Error(`The service responded with ${response.status}`)
    return { status: response.status }
  },
})
