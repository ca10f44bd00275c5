// Starts a server program as a child that cannot outlive us: a shell holds it and waits on a pipe whose other
// end is ours, so even a kill -9 of this process closes the pipe and ends the server.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

export interface ChildServer {
  /** The process id of the server program itself, not of the shell that holds it. */
  pid: number
  /** Ends the server with SIGTERM and resolves when it is gone. */
  stop(): Promise<void>
}

// The program runs in the background of the shell, which reads our pipe until it closes. What becomes the program says its
// id itself: said by the shell that holds it, it could come after the first words of the program.
const PROGRAM = `sh -c 'echo "pid $$"; exec "$@"' program "$@"`
const KEEPER = `${PROGRAM} & child=$!; trap "" INT TERM; while read -r _; do :; done; kill -TERM $child 2>/dev/null; wait $child`

/**
 * @param command the program and its arguments
 * @param options `uid`/`gid` to run as somebody else, `onOutput` receives what it prints
 */
export async function startChildServer(
  command: string[],
  options: { uid?: number; gid?: number; cwd?: string; onOutput?: (text: string) => void } = {},
): Promise<ChildServer> {
  const { onOutput, ...who } = options
  const shell = spawn('/bin/sh', ['-c', KEEPER, 'keeper', ...command], {
    ...who,
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group: a Ctrl-C in the terminal reaches us, and we end it in order.
    detached: true,
  })
  shell.stdin?.on('error', () => {})
  shell.stderr?.on('data', (text) => onOutput?.(String(text)))
  const pid = await readPid(shell, onOutput)
  return {
    pid,
    async stop() {
      if (shell.exitCode !== null || shell.signalCode !== null) return
      const gone = once(shell, 'exit')
      shell.stdin?.end()
      await gone
    },
  }
}

function readPid(shell: ChildProcess, onOutput?: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let seen = ''
    shell.once('error', reject)
    shell.once('exit', () => reject(new Error('the server ended before it began')))
    shell.stdout?.on('data', (text) => {
      onOutput?.(String(text))
      if (seen.includes('\n')) return
      seen += text
      const pid = /^pid (\d+)\n/.exec(seen)?.[1]
      if (pid) resolve(Number(pid))
    })
  })
}

/** A TCP port of the loopback interface that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
