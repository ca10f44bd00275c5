// The program itself as a process, started as `npm start` and its siblings start it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'
import { until } from './system.ts'

export interface MainProcess {
  pid: number
  /** Where it says that it serves. */
  url: string
  output(): string
  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<number | string>
  ended: Promise<number | string>
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const START_SECONDS = 120
const started = new Set<ChildProcess>()

/** Knows no variable of this environment but the path. Resolves when it has said that it is ready, or has ended. */
export async function startMain(
  command: string | string[],
  settings: Record<string, string>,
): Promise<MainProcess> {
  const child = spawn(process.execPath, [MAIN, ...[command].flat()], {
    env: { ...CHILD_ENVIRONMENT, PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  // 'close' and not 'exit': only then has everything that it printed arrived.
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  await Promise.race([
    ended,
    until(
      async () => output,
      (text) => /is ready|worker started/.test(text),
      // A first start makes a database, and beside other tests it has a fraction of a core for that.
      START_SECONDS,
    ),
  ])
  return {
    pid: child.pid as number,
    url: /is ready: (\S+)/.exec(output)?.[1] ?? '',
    output: () => output,
    ended,
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

/** For `afterEach`: nothing that a failed test left running outlives it. */
export function killLeftovers(): void {
  for (const child of started) child.kill('SIGKILL')
  started.clear()
}
