import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const nightlyReport = defineTask({
  name: 'nightly_report',
  title: 'Send the nightly report',
  description: 'Asks the service at the URL to send the report of the last day.',
  input: z.object({ url: z.url() }),
  output: z.object({ status: z.int() }),
  example: { url: 'https://reports.example.com/nightly' },
  schedules: [
    {
      name: 'nightly-report',
      cron: '30 2 * * *',
      timeZone: 'Europe/Berlin',
      catchUp: 'one',
      input: { url: 'https://reports.example.com/nightly' },
    },
  ],
  async run({ url }, { signal }) {
    const response = await fetch(url, { method: 'POST', signal })
    if (!response.ok) throw new Error(`The service responded with ${response.status}`)
    return { status: response.status }
  },
})
