// Starts a server program as a child process that cannot outlive this process. The parent of the program is a
// shell that stops it when a pipe closes. This process holds the pipe open until it ends, even by kill -9.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

export interface ChildServer {
  /** The process id of the server program itself, not of its parent shell. */
  pid: number
  /** Sends SIGTERM to the server and resolves when it has exited. */
  stop(): Promise<void>
}

// Shell command that prints its process id and then becomes the program (`exec`). So the id always comes
// before the output of the program; an id that the parent shell prints could come after it.
const PROGRAM = `sh -c 'echo "pid $$"; exec "$@"' program "$@"`
// Script of the parent shell: it runs the program in the background, and stops it with SIGTERM when the pipe
// on standard input is closed.
const PARENT_SHELL = `${PROGRAM} & child=$!; trap "" INT TERM; while read -r _; do :; done; kill -TERM $child 2>/dev/null; wait $child`

/**
 * Starts the program and resolves when its process id is known. The server might not accept connections
 * yet.
 * @param command the program and its arguments
 * @param options `uid`, `gid` and `cwd` of the program; `onOutput` receives its output
 * @throws Error if the program exits before it has reported its process id
 */
export async function startChildServer(
  command: string[],
  options: { uid?: number; gid?: number; cwd?: string; onOutput?: (text: string) => void } = {},
): Promise<ChildServer> {
  const { onOutput, ...spawnOptions } = options
  const shell = spawn('/bin/sh', ['-c', PARENT_SHELL, 'parent', ...command], {
    ...spawnOptions,
    stdio: ['pipe', 'pipe', 'pipe'],
    // Starts a new process group. Ctrl-C then reaches only this process, which stops the server after its own
    // connections are closed.
    detached: true,
  })
  shell.stdin?.on('error', () => {})
  shell.stderr?.on('data', (text) => onOutput?.(String(text)))
  const pid = await readPid(shell, onOutput)
  return {
    pid,
    async stop() {
      if (shell.exitCode !== null || shell.signalCode !== null) return
      const exited = once(shell, 'exit')
      shell.stdin?.end()
      await exited
    },
  }
}

function readPid(shell: ChildProcess, onOutput?: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ''
    shell.once('error', reject)
    shell.once('exit', () => reject(new Error('The server exited before it had started')))
    shell.stdout?.on('data', (text) => {
      onOutput?.(String(text))
      if (output.includes('\n')) return
      output += text
      const pid = /^pid (\d+)\n/.exec(output)?.[1]
      if (pid) resolve(Number(pid))
    })
  })
}

/** Returns a TCP port that is free at present. Another program may still take it before it is used. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('The probe server has no TCP port')
  return address.port
}
