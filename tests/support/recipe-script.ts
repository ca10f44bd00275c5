// An isolated process with the recipe of docs/recipes/pdf.md, in which some customers make its code misbehave.
import { renderInvoice } from '../../docs/recipes/render-invoice.ts'
import type { TaskDefinition } from '../../src/definitions/define.ts'
import { serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'
import { createSampleRegistry, createSampleServices } from './sample-project.ts'

const FAULTS: Record<string, () => void> = {
  'computes for ever': () => {
    for (;;);
  },
  'needs memory': () => {
    for (const kept: Buffer[] = []; ; ) kept.push(Buffer.alloc(16 * 1024 * 1024, 1))
  },
}

const faulty: typeof renderInvoice = {
  ...renderInvoice,
  run(input, context) {
    FAULTS[input.customer]?.()
    return renderInvoice.run(input, context)
  },
}

serveAttempts(async () => ({
  registry: createSampleRegistry([faulty as TaskDefinition]),
  services: createSampleServices(),
}))
