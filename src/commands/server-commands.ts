// The commands that run the parts of Waggle.
import type { Command } from 'commander'
import type { Environment } from '../config.ts'
import { addCommand } from './command-text.ts'
import { startServer } from './servers.ts'

const GROUP = 'Run:'

export function addServerCommands(program: Command, environment: Environment): void {
  addCommand(program, 'dev', {
    group: GROUP,
    needs: 'project',
    summary: 'run everything on this machine: API, worker, page, Postgres and Redis',
    description: `Runs the API, a worker and the page in one process, at http://127.0.0.1:8000 (HOST, PORT).
Without DATABASE_URL it uses an embedded Postgres, whose data is in the folder .data (DATA_DIR). Without
REDIS_URL it starts a Redis of its own, and installs Redis if it is missing. It creates and updates the tables.
Ctrl-C stops it: tasks that still run after two seconds are run again at the next start.`,
    examples: ['waggle dev', 'PORT=9000 waggle dev', 'DATABASE_URL=postgres://127.0.0.1/tasks waggle dev'],
  }).action(() => startServer('dev', environment))

  addCommand(program, 'api', {
    group: GROUP,
    needs: 'project',
    summary: 'run the API',
    description: `Runs the API on HOST and PORT. It needs DATABASE_URL, REDIS_URL, up-to-date tables
(\`waggle migrate\`), and in production API_KEYS. With API_PROCESSES above 1 several processes share the port,
and SIGHUP replaces them one after the other. SIGTERM stops it in order.`,
    examples: ['waggle api', 'HOST=0.0.0.0 API_PROCESSES=auto waggle api'],
  }).action(() => startServer('api', environment))

  addCommand(program, 'worker', {
    group: GROUP,
    needs: 'project',
    summary: 'run the tasks',
    description: `Runs a supervisor and its worker processes (WORKER_PROCESSES). They run the tasks of WORKER_QUEUES,
up to WORKER_CONCURRENCY at a time in each process. It needs DATABASE_URL and REDIS_URL. SIGTERM stops it in order:
running tasks get SHUTDOWN_GRACE_SECONDS, then they are put back. SIGHUP replaces the processes one after the other.`,
    examples: ['waggle worker', 'WORKER_QUEUES=default,mail WORKER_CONCURRENCY=50 waggle worker'],
  }).action(() => startServer('worker', environment))

  addCommand(program, 'migrate', {
    group: GROUP,
    needs: 'project',
    summary: 'create and update the tables',
    description: `Brings the tables in DATABASE_URL up to date. Run it before the first start, and before the API and
the workers of a new version. The previous version can still run on the new tables. \`waggle dev\` does it by itself.`,
    examples: ['waggle migrate'],
  }).action(() => startServer('migrate', environment))

  addCommand(program, 'certificates', {
    group: GROUP,
    needs: 'project',
    summary: 'keep an HTTPS certificate valid, in the container image',
    description: `Orders a certificate for DOMAIN from Let's Encrypt and renews it. It is part of the container image:
the certificate is in the folder /certificates, which nginx shares (docker-compose.https.yml).`,
    examples: ['docker compose logs certificates'],
  }).action(() => startServer('certificates', environment))
}
