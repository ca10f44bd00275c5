// A process of a supervisor that a test controls. Needs the fake timers of vitest.
import { vi } from 'vitest'
import type { ManagedProcess, ProcessEnd } from '../../../src/processes/managed-process.ts'

export interface FakeProcess extends ManagedProcess {
  becomeReady(): Promise<void>
  end(end?: Partial<ProcessEnd>): Promise<void>
  requests: string[]
}

export const CRASH: ProcessEnd = { code: null, signal: 'SIGKILL', hasStopped: false }
export const IN_ORDER: ProcessEnd = { code: 0, signal: null, hasStopped: true }

export const settled = () => vi.advanceTimersByTimeAsync(0)

/** @param given members that differ from those of a process that never answers */
export function fakeProcess(pid: number, given: Partial<ManagedProcess> = {}): FakeProcess {
  const ready = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<ProcessEnd>()
  const requests: string[] = []
  let isReady = false
  return {
    pid,
    name: 'worker process',
    ...given,
    get isReady() {
      return isReady
    },
    startedMs: performance.now(),
    ready: ready.promise,
    ended: ended.promise,
    ask: given.ask ?? (async () => undefined),
    notify: given.notify ?? (async () => {}),
    replace: () => void requests.push('replace'),
    terminate: () => void requests.push('terminate'),
    kill: () => void requests.push('kill'),
    requests,
    async becomeReady() {
      isReady = true
      ready.resolve(true)
      await settled()
    },
    async end(end = {}) {
      ready.resolve(false)
      ended.resolve({ ...CRASH, ...end })
      await settled()
    },
  }
}
