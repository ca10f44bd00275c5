// What is compared: four systems that take the same requests and do the same work. Each is an API process and a
// worker process; where its tasks are remembered is the difference.
import { fileURLToPath } from 'node:url'

export interface System {
  name: string
  title: string
  /** Programs with their arguments, run by Node one after the other before the rest starts. */
  prepare: string[][]
  api: string[]
  worker: string[]
  /** Who can tell how many tasks are unfinished: the rows, or the API because there are none. */
  remembers: 'rows' | 'jobs'
}

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const WAGGLE = program('../src/main.ts')

export const SYSTEMS: System[] = [
  {
    name: 'waggle',
    title: 'Waggle',
    prepare: [[WAGGLE, 'migrate']],
    api: [WAGGLE, 'api'],
    worker: [WAGGLE, 'worker'],
    remembers: 'rows',
  },
  {
    name: 'bullmq-rows',
    title: 'BullMQ + rows',
    prepare: [],
    api: [program('./peers/bullmq-rows-api.ts')],
    worker: [program('./peers/bullmq-rows-worker.ts')],
    remembers: 'rows',
  },
  {
    name: 'bullmq-tuned-rows',
    title: 'BullMQ + tuned rows',
    prepare: [],
    api: [program('./peers/bullmq-rows-api.ts'), 'tuned'],
    worker: [program('./peers/bullmq-rows-worker.ts'), 'tuned'],
    remembers: 'rows',
  },
  {
    name: 'bullmq',
    title: 'BullMQ, no rows',
    prepare: [],
    api: [program('./peers/bullmq-api.ts')],
    worker: [program('./peers/bullmq-worker.ts')],
    remembers: 'jobs',
  },
]

/** Running tasks per worker process, the same for all; with 50 or 200 the ratios are about the same. */
export const CONCURRENCY = 100
