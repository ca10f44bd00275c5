// The systems that the bench compares. They accept the same requests and do the same work, each with an
// API process and a worker process. They differ in where they store tasks.
import { fileURLToPath } from 'node:url'
import { PACKAGE_MAIN, PACKAGE_SETTINGS } from './package-project.ts'

export interface System {
  name: string
  title: string
  /** Whether the system is measured only if it is chosen by its name. */
  isOptional?: boolean
  /** The folder of a system in Python, with its `requirements.txt`. Programs of other systems are run by Node. */
  pythonFolder?: string
  /** Programs with their arguments. They run one after the other before the API starts. */
  prepare: string[][]
  api: string[]
  worker: string[]
  /**
   * With `rows`, the bench counts unfinished rows of the table `tasks`. With `jobs`, tasks are stored by the
   * library only: the API counts them.
   */
  taskStorage: 'rows' | 'jobs'
  /** Environment variables of the processes of this system, in addition to those that all systems get. */
  settings?: Record<string, string>
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
    taskStorage: 'rows',
  },
  {
    name: 'waggle-package',
    title: 'Waggle (package)',
    isOptional: true,
    prepare: [[PACKAGE_MAIN, 'migrate']],
    api: [PACKAGE_MAIN, 'api'],
    worker: [PACKAGE_MAIN, 'worker'],
    taskStorage: 'rows',
    settings: PACKAGE_SETTINGS,
  },
  {
    name: 'bullmq-rows',
    title: 'BullMQ + rows',
    prepare: [],
    api: [program('./peers/bullmq-rows-api.ts')],
    worker: [program('./peers/bullmq-rows-worker.ts')],
    taskStorage: 'rows',
  },
  {
    name: 'bullmq-tuned-rows',
    title: 'BullMQ + tuned rows',
    prepare: [],
    api: [program('./peers/bullmq-rows-api.ts'), 'tuned'],
    worker: [program('./peers/bullmq-rows-worker.ts'), 'tuned'],
    taskStorage: 'rows',
  },
  {
    name: 'bullmq',
    title: 'BullMQ, no rows',
    prepare: [],
    api: [program('./peers/bullmq-api.ts')],
    worker: [program('./peers/bullmq-worker.ts')],
    taskStorage: 'jobs',
  },
  {
    name: 'pg-boss',
    title: 'pg-boss',
    prepare: [],
    api: [program('./peers/pg-boss-api.ts')],
    worker: [program('./peers/pg-boss-worker.ts')],
    taskStorage: 'jobs',
  },
  {
    name: 'graphile-worker',
    title: 'graphile-worker',
    prepare: [],
    api: [program('./peers/graphile-api.ts')],
    worker: [program('./peers/graphile-worker.ts')],
    taskStorage: 'jobs',
    // It would log each task.
    settings: { NO_LOG_SUCCESS: '1' },
  },
  {
    name: 'celery',
    title: 'FastAPI + Celery',
    isOptional: true,
    pythonFolder: program('./peers/celery'),
    prepare: [],
    api: [program('./peers/celery/api.py')],
    worker: [program('./peers/celery/worker.py')],
    taskStorage: 'jobs',
  },
]

/**
 * Returns the systems to measure.
 * @param choice names with commas between them. Default: all but the optional ones
 * @throws Error for an unknown name
 */
export function chooseSystems(choice?: string): System[] {
  if (choice === undefined) return SYSTEMS.filter(({ isOptional }) => !isOptional)
  return choice.split(',').map((wanted) => {
    const system = SYSTEMS.find(({ name }) => name === wanted)
    if (!system)
      throw new Error(`Unknown system "${wanted}": expected ${SYSTEMS.map(({ name }) => name).join(', ')}`)
    return system
  })
}

/**
 * Concurrent tasks per worker process, equal for all systems in Node. With 50 or 200 the ratios are about the
 * same.
 */
export const CONCURRENCY = 100
