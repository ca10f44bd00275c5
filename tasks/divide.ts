import { setTimeout as pause } from 'node:timers/promises'
import { defineTask, PermanentError } from 'waggle-tasks'
import { z } from 'zod'

// The task simulates work: it waits `STEP_MS` before each of `STEPS` progress reports, so that a person can
// see the progress bar move.
const STEPS = 10
const STEP_MS = 500

export const divide = defineTask({
  name: 'divide',
  title: 'Divide two numbers',
  description: 'Divides x by y. Takes about five seconds and reports progress.',
  input: z.object({
    x: z.number().meta({ title: 'Dividend (x)' }),
    y: z.number().meta({ title: 'Divisor (y)' }),
  }),
  output: z.object({ quotient: z.number() }),
  example: { x: 10, y: 4 },
  async run({ x, y }, { signal, progress, log }) {
    if (y === 0) throw new PermanentError('Task "divide": y must not be 0')
    log(`Dividing ${x} by ${y}`, { steps: STEPS })
    for (let step = 1; step <= STEPS; step++) {
      await pause(STEP_MS, undefined, { signal })
      progress(step / STEPS, `Step ${step} of ${STEPS}`)
      log(`Step ${step} of ${STEPS} is done`)
    }
    const quotient = x / y
    if (!Number.isFinite(quotient))
      throw new PermanentError('Task "divide": the quotient is too large for a number')
    return { quotient }
  },
})
