// The commands that run the parts of Waggle. They have no arguments, and `main.ts` runs them without the
// command line, whose parser would cost a supervisor 3 MB of memory.
import type { Environment } from '../config.ts'
import { prepare } from './prepare.ts'

type Server = (environment: Environment) => Promise<void>

const SERVERS = {
  dev: async () => (await import('./dev.ts')).dev,
  api: async () => (await import('./api.ts')).api,
  worker: async () => (await import('./worker.ts')).worker,
  migrate: async () => (await import('./migrate.ts')).migrate,
  certificates: async () => (await import('./certificates.ts')).certificates,
} satisfies Record<string, () => Promise<Server>>

export type ServerName = keyof typeof SERVERS

export function isServerName(name: string): name is ServerName {
  return Object.hasOwn(SERVERS, name)
}

/** Runs a command without options. */
export async function runServer(name: ServerName, environment: Environment): Promise<void> {
  prepare(name, 'project', environment)
  await startServer(name, environment)
}

/** Runs a command whose environment is prepared. */
export async function startServer(name: ServerName, environment: Environment): Promise<void> {
  const server: Server = await SERVERS[name]()
  await server(environment)
}
