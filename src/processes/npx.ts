// Ends a command that was started with `npx waggle`, when npx ends.
import type { Environment } from '../config.ts'

// How long the command can outlive npx.
const CHECK_MS = 250

/**
 * npx starts a shell, which starts the command. On SIGTERM npx ends the shell only, so the command would run on
 * without a parent. This sends the signal to this process when its parent has ended. Does nothing unless npx has
 * started this process. Ctrl-C needs no such help: a terminal signals all processes.
 */
export function endWithNpx({ npm_command: npmCommand }: Environment): void {
  if (npmCommand !== 'exec') return
  const { ppid } = process
  const check = setInterval(() => {
    if (process.ppid === ppid) return
    clearInterval(check)
    process.kill(process.pid, 'SIGTERM')
  }, CHECK_MS)
  check.unref()
}
