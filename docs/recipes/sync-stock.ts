import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const syncStock = defineTask({
  name: 'sync_stock',
  title: 'Sync the stock',
  description: 'Asks the service at the URL to sync the stock, and waits until it has done so.',
  input: z.object({ url: z.url() }),
  output: z.object({ status: z.int() }),
  example: { url: 'https://shop.example.com/stock' },
  maxRetries: 0,
  timeoutMs: 900_000,
  unique: { until: 'finished' },
  schedules: [
    {
      name: 'sync-stock',
      everySeconds: 300,
      overlap: 'skip',
      input: { url: 'https://shop.example.com/stock' },
    },
  ],
  async run({ url }, { signal }) {
    const response = await fetch(url, { method: 'POST', signal })
    if (!response.ok) throw new Error(`The service responded with ${response.status}`)
    return { status: response.status }
  },
})
