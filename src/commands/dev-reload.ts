// Reloads the project in `dev`: after an edit, loads its modules again and replaces the running code by them.
// If they cannot be loaded, the last working code keeps running.
import { relative } from 'node:path'
import { messageOf } from '../base/errors.ts'
import type { Config } from '../config.ts'
import type { ProjectModules } from '../project/project-modules.ts'
import { watchFiles } from '../project/watch-files.ts'

/** What the page shows of the code that runs. */
export interface ReloadState {
  /** Number of the code that runs. It grows with every reload. */
  version: number
  /** Why the last edit could not be loaded; null if the code that runs is the newest. */
  error: string | null
}

export interface Reload {
  state(): ReloadState
  /** Stops watching, and waits for a reload that is under way. */
  stop(): Promise<void>
}

/**
 * Watches the files of the project.
 * @param apply loads the project and replaces the running code. If it rejects, the last code must still run
 */
export function startReload(modules: ProjectModules, apply: () => Promise<void>): Reload {
  const state: ReloadState = { version: 1, error: null }
  let isStopped = false
  let edited: string[] = []
  let running: Promise<void> | undefined
  const watcher = watchFiles((files) => {
    edited.push(...files)
    running ??= reload().finally(() => {
      running = undefined
    })
  })
  watcher.watch(modules.files(), false)
  return {
    state: () => ({ ...state }),
    async stop() {
      isStopped = true
      watcher.stop()
      await running
    },
  }

  async function reload() {
    do {
      const files = edited
      edited = []
      modules.startVersion()
      try {
        await apply()
        state.version++
        state.error = null
        process.stdout.write(`Reloaded${listOf(files)}\n`)
      } catch (error) {
        state.error = messageOf(error)
        process.stderr.write(`Not reloaded, so the last working code keeps running:\n${state.error}\n`)
      }
      // The files that the new code imports, also after an error: their edit can mend it.
      if (!isStopped) watcher.watch(modules.files(), state.error !== null)
    } while (edited.length > 0 && !isStopped)
  }
}

/** Path at which `dev` serves the state of the reload, for the page. */
const STATE_PATH = '/dev/reload'

/**
 * Responds to a request for the state of the reload; undefined for all other requests. With API keys, the
 * response does not contain the error, because everyone may send this request.
 */
export function responseOfReload(
  request: Request,
  { version, error }: ReloadState,
  { API_KEYS: keys }: Config,
): Response | undefined {
  if (request.method !== 'GET' || new URL(request.url).pathname !== STATE_PATH) return undefined
  const shown = error !== null && keys ? 'The terminal shows the error' : error
  return Response.json({ version, error: shown }, { headers: { 'Cache-Control': 'no-store' } })
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
