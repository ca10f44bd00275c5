// The API key of this tab: where it is stored, whether the API accepts it, and which scopes it lacks.
import { createObservable, type Observable } from '../parts/observable.ts'
import type { ApiFault, ApiResponse } from './api-response.ts'

const SCOPES = ['submit', 'read', 'operate'] as const
export type Scope = (typeof SCOPES)[number]

export interface AccessState {
  /** The API requires a key and this tab has no valid one: a request got a 401, or the key was removed. */
  isKeyRequired: boolean
  /** The key dialog is open. */
  isDialogOpen: boolean
  /** The scopes that the key is known to lack. */
  missingScopes: readonly Scope[]
}

export interface Access {
  state: Observable<AccessState>
  /** Null while no key is stored. */
  key: Observable<string | null>
  /**
   * Records the outcome of a request.
   * @param scope the scope that the request needs; null if every valid key suffices
   * @param key the key that the request was sent with
   */
  report(fault: ApiFault | null, scope: Scope | null, key: string | null): void
  /** Records the scopes of a key. */
  setScopes(scopes: readonly Scope[], key: string | null): void
  openDialog(): void
  closeDialog(): void
  /** Tries the key and stores it for this tab if the API accepts it. Resolves with an error text, or null. */
  submitKey(text: string): Promise<string | null>
  forget(): void
  /** Resolves when the API no longer rejects this tab's requests with 401. */
  untilAccepted(): Promise<void>
  /** Opens the dialog. Resolves when it is closed; with false if no valid key was entered. */
  untilKeyEntered(): Promise<boolean>
}

/** @param tryKey sends a request with the key; resolves with its fault, or null */
export function createAccess(tryKey: (key: string) => Promise<ApiFault | null>): Access {
  const key = createObservable(readKey())
  const state = createObservable<AccessState>({
    isKeyRequired: false,
    isDialogOpen: false,
    missingScopes: [],
  })
  const change = (changes: Partial<AccessState>) => state.set({ ...state.get(), ...changes })
  return {
    state,
    key,
    report,
    setScopes(scopes, usedKey) {
      if (usedKey === key.get()) change({ missingScopes: SCOPES.filter((scope) => !scopes.includes(scope)) })
    },
    openDialog: () => change({ isDialogOpen: true }),
    closeDialog: () => change({ isDialogOpen: false }),
    async submitKey(text) {
      const given = text.trim()
      const fault = faultOfText(given) ?? faultOfTrial(await tryKey(given))
      if (fault) return fault
      writeKey(given)
      state.set({ isKeyRequired: false, isDialogOpen: false, missingScopes: [] })
      key.set(given)
      return null
    },
    forget() {
      writeKey(null)
      state.set({ isKeyRequired: true, isDialogOpen: false, missingScopes: [] })
      key.set(null)
    },
    untilAccepted: () => until(() => !state.get().isKeyRequired),
    async untilKeyEntered() {
      change({ isDialogOpen: true })
      await until(() => !state.get().isDialogOpen)
      return !state.get().isKeyRequired
    },
  }

  function report(fault: ApiFault | null, scope: Scope | null, usedKey: string | null) {
    // Ignore a late response to a request that was sent with an earlier key.
    if (usedKey !== key.get()) return
    const { isKeyRequired, isDialogOpen, missingScopes } = state.get()
    // Only the first 401 opens the dialog: background requests must not reopen it after the person closed it.
    if (fault?.status === 401 && !isKeyRequired) change({ isKeyRequired: true, isDialogOpen: true })
    if (!fault && isKeyRequired && !isDialogOpen) change({ isKeyRequired: false })
    if (fault?.status === 403 && scope && !missingScopes.includes(scope))
      change({ missingScopes: [...missingScopes, scope] })
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
  return /^[\x21-\x7e]+$/.test(key) ? null : 'A key contains only ASCII characters, and no spaces.'
}

function faultOfTrial(fault: ApiFault | null): string | null {
  if (fault === null) return null
  if (fault.status === 401) return 'The API does not accept this key. Check that you copied all of it.'
  return `${fault.detail}. Try again later.`
}

/** Sends a request; after a 401 asks for a key and sends it again. Stops when the person enters no key. */
export async function withKey<T>(
  access: Access,
  request: () => Promise<ApiResponse<T>>,
): Promise<ApiResponse<T>> {
  let response = await request()
  while (!response.ok && response.fault.status === 401 && (await access.untilKeyEntered()))
    response = await request()
  return response
}

const KEY = 'waggle.key'

/** Session storage belongs to one tab, and the browser deletes it when the tab is closed. */
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
    // The browser forbids storage: the key is kept in memory until the page is left.
  }
}
