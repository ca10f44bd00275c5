import { fileURLToPath } from 'node:url'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'
import { runProgram } from './run-program.ts'

const script = fileURLToPath(new URL('summarize.py', import.meta.url))
const summary = z.object({ count: z.int(), mean: z.number(), deviation: z.number() })

export const summarize = defineTask({
  name: 'summarize',
  title: 'Summarize numbers',
  description: 'Returns mean and standard deviation of numbers, with a program in Python.',
  input: z.object({ numbers: z.array(z.number()).max(10_000) }),
  output: summary,
  example: { numbers: [1, 2, 4] },
  timeoutMs: 60_000,
  run: async (input, context) =>
    summary.parse(await runProgram([process.env.PYTHON ?? 'python3', script], input, context)),
})
