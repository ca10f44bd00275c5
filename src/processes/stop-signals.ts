// What a process does on SIGTERM, SIGINT and SIGHUP.
import { isatty } from 'node:tty'
import { messageOf } from '../base/errors.ts'

// One Ctrl-C can arrive twice: the terminal sends it to all processes in the foreground, and npm, which is
// one of them, sends it to this process again. The same happens to a SIGTERM from systemd. On a busy machine
// npm can be late. A person who wants to end the process immediately presses Ctrl-C again after this time.
const SAME_SIGNAL_MS = 1_000

export interface StopOptions {
  /** Ends the process immediately at a second signal. The default is to exit with 1. */
  endNow?: () => void
}

/**
 * Calls `stop` at the first SIGTERM or SIGINT and then ends the process. A second one ends it immediately,
 * unless it arrives within SAME_SIGNAL_MS: then it counts as the first one.
 * @returns a function that stops the process in the same way, and exits with the given code
 */
export function stopOnSignal(
  stop: () => Promise<void>,
  { endNow = () => process.exit(1) }: StopOptions = {},
): (code: number) => void {
  let signalledAtMs: number | null = null
  let isStopping = false
  onEachSignal(() => {
    if (signalledAtMs !== null && performance.now() - signalledAtMs > SAME_SIGNAL_MS) endNow()
    signalledAtMs ??= performance.now()
    stopAndExit(0)
  })
  return stopAndExit

  function stopAndExit(code: number) {
    if (isStopping) return
    isStopping = true
    exitAfter(stop(), code)
  }
}

/** Calls the listener for every SIGTERM and SIGINT. */
export function onEachSignal(listener: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, listener)
}

/**
 * Ends the process with `code` when it has stopped, and with 1 and a message if it could not stop in order.
 */
export function exitAfter(stopped: Promise<void>, code: number): void {
  stopped.then(
    () => process.exit(code),
    (error) => {
      process.stderr.write(`Could not stop in order: ${messageOf(error)}\n`)
      process.exit(1)
    },
  )
}

/**
 * Calls `restart` on SIGHUP. In a terminal, SIGHUP means that the terminal was closed: then it ends the
 * process, which is the default.
 */
export function restartOnHangUp(restart: () => void): void {
  if (!isatty(0)) process.on('SIGHUP', restart)
}
