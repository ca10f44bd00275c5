// Reloads the project in `dev`: after an edit, loads its modules again and replaces the running code by them.
// If they cannot be loaded, the last working code keeps running.
import { relative } from 'node:path'
import type { ReloadState } from '../api/dependencies.ts'
import { messageOf } from '../base/errors.ts'
import type { FileHashes } from '../project/project-modules.ts'
import { watchFiles } from '../project/watch-files.ts'

export interface Reload {
  state(): ReloadState
  /** Stops watching, and gives up a reload that has not replaced the code yet. */
  stop(): Promise<void>
}

export interface ReloadOptions {
  /** The files of the project as they were when they were loaded. */
  files: () => FileHashes
  /** Returns whether an edit of this file needs a restart of the command. */
  needsRestart?: (file: string) => boolean
  /**
   * Loads the project and replaces the running code. If it rejects, the last code must still run. After the
   * signal has aborted it must not replace the code.
   */
  apply: (signal: AbortSignal) => Promise<void>
}

// How long new code may take until it runs. Its services may have to connect to other servers.
const APPLY_LIMIT_MS = 60_000

export function startReload({ files, needsRestart = () => false, apply }: ReloadOptions): Reload {
  const state: ReloadState = { version: 1, error: null }
  const stopping = new AbortController()
  let edited: string[] = []
  let running: Promise<void> | undefined
  const watcher = watchFiles((paths) => {
    edited.push(...paths)
    running ??= reload().finally(() => {
      running = undefined
    })
  })
  watcher.watch(files(), false)
  return {
    state: () => ({ ...state }),
    async stop() {
      stopping.abort(new Error('The command stops'))
      watcher.stop()
      await running
    },
  }

  async function reload() {
    do {
      const paths = edited
      edited = []
      await reloadOnce(paths)
      // The files that the new code imports, also after an error: an edit of them can correct it.
      if (!stopping.signal.aborted) watcher.watch(files(), state.error !== null)
    } while (edited.length > 0 && !stopping.signal.aborted)
  }

  async function reloadOnce(paths: string[]) {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(APPLY_LIMIT_MS)])
    try {
      await untilAborted(apply(signal), signal)
      state.version++
      state.error = null
      process.stdout.write(`Reloaded${listOf(paths)}\n`)
    } catch (error) {
      if (stopping.signal.aborted) return
      state.error = signal.aborted ? tooSlow() : messageOf(error)
      process.stderr.write(`Not reloaded, so the last working code keeps running:\n${state.error}\n`)
    }
    const unchanged = paths.filter(needsRestart)
    if (unchanged.length > 0)
      process.stderr.write(`CommonJS modules are not loaded again${listOf(unchanged)}. Restart the command\n`)
  }
}

function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function tooSlow(): string {
  return `The new code was not ready within ${APPLY_LIMIT_MS / 1_000} s. Does a service wait for a server that does not answer?`
}

/** Adds the number of the code that runs as a header, from which the page knows that it can change. */
export async function withVersion(
  response: Response | Promise<Response>,
  { version }: ReloadState,
): Promise<Response> {
  const sent = await response
  sent.headers.set('Waggle-Reload', String(version))
  return sent
}

function listOf(files: string[]): string {
  const names = [...new Set(files)].map((file) => relative(process.cwd(), file))
  return names.length === 0 ? '' : `: ${names.join(', ')}`
}
