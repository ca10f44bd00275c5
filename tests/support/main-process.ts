// Runs src/main.ts as a process, as `npm start`, `npm run api` and the other scripts do.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'
import { until } from './system.ts'

export interface MainProcess {
  pid: number
  /** The URL that the process has printed; empty if it printed none. */
  url: string
  output(): string
  /**
   * The output without warnings about transient errors. On a machine that stands still for seconds, connections
   * reach their time limits, and the process connects again.
   */
  outputWithoutTransientErrors(): string
  /** Lists the log lines so far. */
  logged(): Record<string, unknown>[]
  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<number | string>
  ended: Promise<number | string>
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const START_SECONDS = 120
const started = new Set<ChildProcess>()

/**
 * Starts a command of main.ts. Of this environment the process gets only PATH and the compile cache. Resolves
 * when it has printed that it is ready, or has ended.
 */
export async function startMain(
  command: string | string[],
  settings: Record<string, string>,
): Promise<MainProcess> {
  const child = spawn(process.execPath, [MAIN, ...[command].flat()], {
    // Workers have the normal priority: on a busy machine their tests would take ten times as long.
    env: { ...CHILD_ENVIRONMENT, PORT: '0', WORKER_NICE: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  // 'close' and not 'exit': after 'exit', output can still arrive.
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  await Promise.race([
    ended,
    until(
      async () => output,
      (text) => /is ready|worker started/.test(text),
      // A first start creates a database, for which it has only a fraction of a core while other tests run.
      START_SECONDS,
    ),
  ])
  return {
    pid: child.pid as number,
    url: /is ready: (\S+)/.exec(output)?.[1] ?? '',
    output: () => output,
    outputWithoutTransientErrors: () =>
      output.replace(/^\{"level":40.*"transient error, will retry"\}\n/gm, ''),
    logged: () => output.split('\n').flatMap((line) => (/^\{.*\}$/.test(line) ? [JSON.parse(line)] : [])),
    ended,
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

/** Kills all started processes. Call it in `afterEach`, so that no process survives a failed test. */
export function killLeftovers(): void {
  for (const child of started) child.kill('SIGKILL')
  started.clear()
}
