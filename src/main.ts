#!/usr/bin/env -S node --max-semi-space-size=64
// The command `waggle`. Besides this file, only lambda.ts, isolated.ts and worker/watchdog/thread.js run
// something on import.
import { messageOf } from './base/errors.ts'
import { isServerName, runServer } from './commands/servers.ts'
import type { Environment } from './config.ts'

type Process = (environment: Environment, args: string[]) => Promise<void>

/** Processes that other commands start. They do not load the command line, which would cost them memory. */
const PROCESSES: Record<string, () => Promise<Process>> = {
  'api-process': async () => (await import('./commands/api-process.ts')).apiProcess,
  'check-project': async () => (await import('./commands/check-project.ts')).checkProject,
  'recover-tasks': async () => (await import('./commands/recover-tasks.ts')).recoverTasks,
  'worker-process': async () => (await import('./commands/worker-process.ts')).workerProcess,
}

await main(process.argv.slice(2))

async function main(args: string[]) {
  const [name = '', ...rest] = args
  try {
    const load = Object.hasOwn(PROCESSES, name) ? PROCESSES[name] : undefined
    if (load) return await (await load())(process.env, rest)
    if (isServerName(name) && rest.length === 0) await runServer(name, process.env)
    else await (await import('./commands/command-line.ts')).runCommand(args, process.env)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(exitCodeOf(error))
  }
}

/** Wrong usage has its own exit code (`UsageError`); every other error is a failure. */
function exitCodeOf(error: unknown): number {
  return error instanceof Error && 'exitCode' in error ? Number(error.exitCode) : 1
}
