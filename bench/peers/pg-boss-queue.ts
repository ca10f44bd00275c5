// Sets up pg-boss for throughput. It polls, because with NOTIFY the commits of all submissions would wait for
// each other. Jobs and their results are rows in Postgres.
import { PgBoss } from 'pg-boss'
import { QUEUE } from './reverse-task.ts'

export interface BossOptions {
  databaseUrl: string
  /** Whether this process is the worker, which runs the maintenance of pg-boss. */
  isWorker: boolean
}

export async function startBoss({ databaseUrl, isWorker }: BossOptions): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    max: 20,
    supervise: isWorker,
    schedule: false,
  })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue(QUEUE, { retryLimit: 3, retryDelay: 1, retryBackoff: true })
  return boss
}
