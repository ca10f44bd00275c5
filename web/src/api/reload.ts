// Reloads of the project by `waggle dev`: the number of the code that runs, and why an edit could not be loaded.
import { type ReadonlySignal, signal } from '@preact/signals'
import { createPause, untilVisible } from './pauses.ts'

export interface ReloadState {
  /** Number of the code that runs; 0 until it is known. */
  version: number
  /** Why the last edit could not be loaded; null if it could. */
  error: string | null
}

export interface Reload {
  state: ReadonlySignal<ReloadState>
  /**
   * Records the header Waggle-Reload of a response. Only `waggle dev` sends it. From then on, the state is read
   * every second.
   */
  observe(header: string | null): void
}

const READ_MS = 1_000

export function createReload(): Reload {
  const state = signal<ReloadState>({ version: 0, error: null })
  let isReading = false
  return {
    state,
    observe(header) {
      if (header === null || isReading) return
      isReading = true
      void readForever()
    },
  }

  async function readForever() {
    for (;;) {
      const read = await readState()
      const { version, error } = state.value
      if (read && (read.version !== version || read.error !== error)) state.value = read
      await createPause().start(READ_MS)
      await untilVisible()
    }
  }
}

/** @returns null if the server does not respond, which `Connection` reports */
async function readState(): Promise<ReloadState | null> {
  try {
    const response = await fetch('dev/reload')
    return response.ok ? await response.json() : null
  } catch {
    return null
  }
}
