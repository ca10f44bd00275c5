// Runs one of the commands of Waggle: dev (API and worker), api, worker, migrate, keys or certificates.
// Besides this file, only lambda.ts, isolated.ts and worker/watchdog/thread.js run something on import.
import { messageOf } from './base/errors.ts'
import type { Environment } from './config.ts'

type Command = (environment: Environment, args: string[]) => Promise<void>

// Each command is imported when it runs, because a supervisor must not load what only its processes need.
const COMMANDS: Record<string, () => Promise<Command>> = {
  dev: async () => (await import('./commands/dev.ts')).dev,
  api: async () => (await import('./commands/api.ts')).api,
  worker: async () => (await import('./commands/worker.ts')).worker,
  migrate: async () => (await import('./commands/migrate.ts')).migrate,
  keys: async () => (await import('./commands/keys.ts')).keys,
  certificates: async () => (await import('./commands/certificates.ts')).certificates,
}

/** Commands that only other commands start. */
const PROCESSES: Record<string, () => Promise<Command>> = {
  'api-process': async () => (await import('./commands/api-process.ts')).apiProcess,
  'check-project': async () => (await import('./commands/check-project.ts')).checkProject,
  'worker-process': async () => (await import('./commands/worker-process.ts')).workerProcess,
}

await main(process.argv[2] ?? 'dev', process.argv.slice(3))

async function main(name: string, args: string[]) {
  try {
    const all = { ...COMMANDS, ...PROCESSES }
    const load = Object.hasOwn(all, name) ? all[name] : undefined
    if (!load)
      throw new Error(`Unknown command "${name}": expected one of ${Object.keys(COMMANDS).join(', ')}`)
    const command = await load()
    await command(process.env, args)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  }
}
