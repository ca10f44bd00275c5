// Runs the npm scripts of this project as a terminal or a supervisor does, and finds every process that they
// start.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'
import { until } from './system.ts'

export interface NpmProcess {
  pid: number
  output(): string
  /** Resolves when the script is ready. @throws if the script ends before */
  ready(): Promise<void>
  /** Resolves with the exit code of npm, or the name of the signal that ended it. */
  ended: Promise<number | string>
  /** Types Ctrl-C, if the script runs in a terminal. */
  pressCtrlC(): void
  /** The command lines of all running processes that the script has started, including npm. */
  running(): string[]
}

/** Set in the environment of each script, and so of everything that it starts. */
const MARKER = 'WAGGLE_TEST_SCRIPT'
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const markers = new Set<string>()

/**
 * Runs an npm script in a process group of its own.
 * @param isInTerminal runs it in a pseudo terminal, as the foreground process group
 */
export function startNpm(
  args: string[],
  settings: Record<string, string>,
  { folder = PROJECT, isInTerminal = false } = {},
): NpmProcess {
  const marker = randomUUID()
  markers.add(marker)
  const npm = ['npm', ...args]
  // `exec`, because the shell of `script` would report its own exit code after Ctrl-C.
  const inTerminal = ['script', '-qec', `exec ${npm.join(' ')}`, '/dev/null']
  const [command = '', ...rest] = isInTerminal ? inTerminal : npm
  const child = spawn(command, rest, {
    cwd: folder,
    env: {
      ...CHILD_ENVIRONMENT,
      HOME: tmpdir(),
      npm_config_update_notifier: 'false',
      PORT: '0',
      WORKER_NICE: '0',
      ...settings,
      [MARKER]: marker,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  // 'exit' and not 'close': a process that outlives npm keeps the output open.
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal)
  return {
    pid: child.pid as number,
    output: () => output,
    ready: () => untilReady(child, () => output),
    ended,
    pressCtrlC: () => child.stdin.write('\x03'),
    running: () => processesOf(marker).map(({ commandLine }) => commandLine),
  }
}

async function untilReady(child: ChildProcess, output: () => string) {
  const isReady = () => /is ready|worker started/.test(output())
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  await until(async () => isReady() || isOver(), Boolean, 120)
  if (!isReady()) throw new Error(`The script ended before it was ready:\n${output()}`)
}

/** Kills everything that the scripts have started. Call it in `afterEach`. */
export function killScripts(): void {
  for (const marker of markers) {
    for (const { pid, commandLine } of processesOf(marker)) {
      // The shell of child-server.ts is not killed: it stops its server when the process that started it
      // ends.
      if (!commandLine.includes('while read -r _')) process.kill(pid, 'SIGKILL')
    }
  }
  markers.clear()
}

/**
 * Creates a copy of the project in which the page can be built while other tests use the page of the project.
 */
export function copyProject(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-project-'))
  for (const name of ['package.json', 'tsconfig.json', 'waggle.config.ts', 'web'])
    cpSync(join(PROJECT, name), join(folder, name), {
      recursive: true,
      filter: (source) => source !== join(PROJECT, 'web', 'dist'),
    })
  for (const name of ['node_modules', 'src', 'migrations', 'tasks', 'services', 'forms'])
    symlinkSync(join(PROJECT, name), join(folder, name))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function processesOf(marker: string): { pid: number; commandLine: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      // The environment of a process that has ended is empty.
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${MARKER}=${marker}`)) return []
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      return [{ pid: Number(pid), commandLine }]
    } catch {
      return []
    }
  })
}
