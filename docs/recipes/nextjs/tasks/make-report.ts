import { setTimeout } from 'node:timers/promises'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const makeReport = defineTask({
  name: 'make_report',
  title: 'Make a report',
  description: 'Makes a report, page by page.',
  input: z.object({ pages: z.int().min(1).max(100) }),
  output: z.object({ text: z.string() }),
  example: { pages: 3 },
  async run({ pages }, { progress, signal }) {
    for (let page = 1; page <= pages; page++) {
      await setTimeout(1_000, undefined, { signal })
      progress(page / pages, `page ${page} of ${pages}`)
    }
    return { text: `A report of ${pages} pages` }
  },
})
