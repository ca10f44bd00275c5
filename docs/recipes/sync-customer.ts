import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const syncCustomer = defineTask({
  name: 'sync_customer',
  title: 'Sync a customer',
  description: 'Sends a version of a customer to the service at the URL.',
  input: z.object({ customer: z.string().min(1).max(100), version: z.int(), url: z.url() }),
  output: z.object({ status: z.int() }),
  example: { customer: 'c-1', version: 1, url: 'https://crm.example.com/customers' },
  concurrency: { limit: 1, key: ({ customer }) => customer },
  rateLimit: { limit: 5, perSeconds: 1 },
  unique: { key: ({ customer, version }) => `${customer} ${version}`, until: { seconds: 60 } },
  async run({ customer, version, url }, { signal }) {
    const path = `${encodeURIComponent(customer)}/${version}`
    const response = await fetch(`${url}/${path}`, { method: 'PUT', signal })
    if (!response.ok) throw new Error(`The service responded with ${response.status}`)
    return { status: response.status }
  },
})
