// Whether the API lets this tab in: the key that a person gave it, and what that key proved not to be good for.

import { createObservable, type Observable } from '../parts/observable.ts'
import type { Answer, ApiFault } from './api-answer.ts'

const SCOPES = ['submit', 'read', 'operate'] as const
export type Scope = (typeof SCOPES)[number]

export interface AccessState {
  /** The API wants a key, and has none that it knows. */
  isShutOut: boolean
  /** The person is being asked for a key. */
  isAsking: boolean
  /** What the key may not do, as far as that is known. */
  lacking: readonly Scope[]
}

export interface Access {
  state: Observable<AccessState>
  /** Null until there is one. */
  key: Observable<string | null>
  /** Tells how a request ended that was made with this key. @param scope what it needs; null where any key will do */
  note(fault: ApiFault | null, scope: Scope | null, key: string | null): void
  /** Tells what a key may do. */
  learn(scopes: readonly Scope[], key: string | null): void
  /** Asks the person for a key, or for another one. */
  ask(): void
  dismiss(): void
  /** Tries the key, and keeps it for this tab if the API knows it. Resolves with what is wrong; null for nothing. */
  give(text: string): Promise<string | null>
  forget(): void
  /** Resolves when the API has let the page in. */
  untilLetIn(): Promise<void>
  /** Asks for a key. Resolves with false if the person does not give one. */
  untilGiven(): Promise<boolean>
}

/** @param tryKey asks the API what it has against a key */
export function createAccess(tryKey: (key: string) => Promise<ApiFault | null>): Access {
  const key = createObservable(readKey())
  const state = createObservable<AccessState>({ isShutOut: false, isAsking: false, lacking: [] })
  const change = (changes: Partial<AccessState>) => state.set({ ...state.get(), ...changes })
  return {
    state,
    key,
    note,
    learn(scopes, usedKey) {
      if (usedKey === key.get()) change({ lacking: SCOPES.filter((scope) => !scopes.includes(scope)) })
    },
    ask: () => change({ isAsking: true }),
    dismiss: () => change({ isAsking: false }),
    async give(text) {
      const given = text.trim()
      const fault = faultOfText(given) ?? faultOfTrial(await tryKey(given))
      if (fault) return fault
      writeKey(given)
      state.set({ isShutOut: false, isAsking: false, lacking: [] })
      key.set(given)
      return null
    },
    forget() {
      writeKey(null)
      state.set({ isShutOut: true, isAsking: false, lacking: [] })
      key.set(null)
    },
    untilLetIn: () => until(() => !state.get().isShutOut),
    async untilGiven() {
      change({ isAsking: true })
      await until(() => !state.get().isAsking)
      return !state.get().isShutOut
    },
  }

  function note(fault: ApiFault | null, scope: Scope | null, usedKey: string | null) {
    // An answer that comes late is about a key that is gone.
    if (usedKey !== key.get()) return
    const { isShutOut, isAsking, lacking } = state.get()
    // Who has put the question off is not asked again by what goes on by itself.
    if (fault?.status === 401 && !isShutOut) change({ isShutOut: true, isAsking: true })
    if (!fault && isShutOut && !isAsking) change({ isShutOut: false })
    if (fault?.status === 403 && scope && !lacking.includes(scope)) change({ lacking: [...lacking, scope] })
  }

  function until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (isReached()) return resolve()
      const unsubscribe = state.subscribe(() => {
        if (!isReached()) return
        unsubscribe()
        resolve()
      })
    })
  }
}

function faultOfText(key: string): string | null {
  if (key === '') return 'Enter a key.'
  return /^[\x21-\x7e]+$/.test(key)
    ? null
    : 'This is no key: a key has no spaces and no letters with accents.'
}

function faultOfTrial(fault: ApiFault | null): string | null {
  if (fault === null) return null
  if (fault.status === 401) return 'The API does not know this key. Was all of it copied?'
  return `${fault.detail}. Try again in a moment.`
}

/** Asks again with the key that the person gives, for as long as the API wants one. */
export async function withKey<T>(access: Access, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  let answer = await ask()
  while (!answer.ok && answer.fault.status === 401 && (await access.untilGiven())) answer = await ask()
  return answer
}

const KEY = 'waggle.key'

/** The session storage is this tab's alone, and is gone with it. */
function readKey(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

function writeKey(key: string | null) {
  try {
    if (key === null) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, key)
  } catch {
    // Storage is not allowed: the key lives as long as the page does.
  }
}
