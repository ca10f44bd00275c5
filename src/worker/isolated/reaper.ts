// Kills the isolated processes of a worker when the worker has ended, even by kill -9 and even if they
// compute. A shell reads their process groups from a pipe. The pipe closes when the worker ends.
import { type ChildProcess, spawn } from 'node:child_process'

export interface Reaper {
  /** Replaces the list of process groups that are killed when this process ends. */
  watch(groups: number[]): void
  stop(): void
}

// Each line is the whole list. After the last line, the groups of that line are killed.
const SCRIPT = `trap "" INT TERM HUP; while read -r line; do groups=$line; done; for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done`

// Pause before the shell is started again, if it was ended by mistake.
const RESTART_MS = 1_000

export function createReaper(): Reaper {
  let shell: ChildProcess | undefined
  let line = ''
  let isStopped = false
  return {
    watch(groups) {
      line = `${groups.join(' ')}\n`
      if (shell) shell.stdin?.write(line)
      else if (groups.length > 0) start()
    },
    stop() {
      isStopped = true
      // An empty list: nothing is killed.
      shell?.stdin?.end('\n')
    },
  }

  function start() {
    if (isStopped) return
    // A group of its own: Ctrl-C in a terminal does not end it before the worker.
    try {
      shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    } catch {
      // The operating system has no memory left. The next change of the list tries again.
      return
    }
    shell.on('error', () => {
      shell = undefined
    })
    shell.stdin?.on('error', () => {})
    shell.once('exit', () => setTimeout(start, RESTART_MS).unref())
    shell.stdin?.write(line)
    shell.unref()
  }
}
