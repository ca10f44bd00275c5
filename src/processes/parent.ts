// The child's side of the IPC channel to its supervisor: answers questions, sends the notices `ready` and
// `stopped`, and ends the process when the supervisor ends.
import { type Answers, createLink } from './link.ts'
import { READY, REPLACED, STOPPED, type StopReport } from './managed-process.ts'
import { MEMORY } from './memory-limit.ts'
import { exitAfter, onEachSignal } from './stop-signals.ts'

export interface Parent {
  /** Sends the notice that this process is ready. `url`: where it serves requests. */
  ready(url?: string): Promise<void>
  /** Asks the supervisor, see `Link.ask`. */
  ask(question: string, limitMs: number): Promise<unknown>
}

export interface ChildOptions {
  /** Answers of this process, by question. */
  answers: Answers
  /**
   * Stops the process in order. `isReplaced`: another process has taken its place, so clients that have
   * connections to this one get time to close them.
   */
  stop: (isReplaced: boolean) => Promise<StopReport>
  /** Called with every notice of the supervisor except `replaced`. */
  onNotice?: (notice: string, value: unknown) => void
}

/** Ends this process when its supervisor ends. @throws Error if no supervisor has started it */
export function endWithParent(): void {
  if (!process.send)
    throw new Error(
      'The commands api-process, worker-process and recover-tasks need a supervisor: run api, worker or dev instead',
    )
  // Without an orderly stop, which takes seconds: meanwhile a new supervisor can start processes with the
  // same work.
  process.on('disconnect', killSelf)
  // The supervisor can end before this process listens.
  if (!process.connected) killSelf()
  // A terminal sends SIGHUP to all processes. The supervisor decides what follows.
  process.on('SIGHUP', () => {})
}

/**
 * Connects this process with its supervisor. SIGTERM, SIGINT and the notice of the supervisor stop it in
 * order. Further signals change nothing, because the same signal can come from a terminal, npm and the
 * supervisor; the supervisor ends a process that takes too long.
 * @returns the supervisor, and a function that stops this process in order and exits with the given code
 */
export function connectParent({ answers, stop, onNotice }: ChildOptions): {
  parent: Parent
  stopAndExit(code: number): void
} {
  let isStopping = false
  const link = createLink(
    {
      // The callback receives the error of a closed channel. Without a callback, Node would emit the error.
      send: (message, onSent) => void process.send?.(message, undefined, {}, () => onSent?.()),
      listen: (listener) => process.on('message', listener),
    },
    {
      answers: { [MEMORY]: () => process.memoryUsage.rss(), ...answers },
      onNotice: (notice, value) => (notice === REPLACED ? stopAndExit(0, true) : onNotice?.(notice, value)),
    },
  )
  onEachSignal(() => stopAndExit(0))
  return { parent: { ready: (url) => link.notify(READY, url), ask: link.ask }, stopAndExit }

  function stopAndExit(code: number, isReplaced = false) {
    if (isStopping) return
    isStopping = true
    // Sent after the stop: a process that dies while it stops has not stopped in order.
    const stopped = stop(isReplaced).then((report) => link.notify(STOPPED, report))
    exitAfter(stopped, code)
  }
}

function killSelf() {
  process.kill(process.pid, 'SIGKILL')
}
