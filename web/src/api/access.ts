// The API key of this tab: where it is stored, whether the API accepts it, and which scopes it lacks.
import { type ReadonlySignal, signal } from '@preact/signals'
import { onChange } from '../parts/on-change.ts'
import type { ApiFault, ApiResponse } from './api-response.ts'

const SCOPES = ['submit', 'read', 'operate', 'reveal'] as const
export type Scope = (typeof SCOPES)[number]

export interface AccessState {
  /**
   * Whether this tab needs another API key. True after a 401 or the removal of the key, until the API accepts
   * a key or a request.
   */
  isKeyRequired: boolean
  /** Whether the dialog in which a person enters the key is open. */
  isDialogOpen: boolean
  /** Scopes that the key is known to lack, from the list of its scopes or from a 403. */
  missingScopes: readonly Scope[]
}

export interface Access {
  state: ReadonlySignal<AccessState>
  /** The API key of this tab; null if it has none. */
  key: ReadonlySignal<string | null>
  /**
   * Records the outcome of a request: a 401 opens the key dialog, a 403 means that the scope is missing.
   * @param fault the error of the request; null if it succeeded
   * @param scope the scope that the request needs; null if every valid key suffices
   * @param key the key that the request was sent with
   */
  report(fault: ApiFault | null, scope: Scope | null, key: string | null): void
  /** Records the scopes that the API reported for a key. Ignored if the tab has another key by now. */
  setScopes(scopes: readonly Scope[], key: string | null): void
  openDialog(): void
  closeDialog(): void
  /**
   * Checks the key with a request. If the API accepts the key, stores it for this tab and resolves with null;
   * otherwise resolves with an error text for the person.
   */
  submitKey(text: string): Promise<string | null>
  forget(): void
  /** Resolves when `isKeyRequired` is false. Until then the API would respond to requests with 401. */
  untilAccepted(): Promise<void>
  /** Opens the key dialog. Resolves when it is closed: with true if a valid key was entered. */
  untilKeyEntered(): Promise<boolean>
}

/** @param tryKey sends a request with the key; resolves with null if it succeeds, otherwise with the error */
export function createAccess(tryKey: (key: string) => Promise<ApiFault | null>): Access {
  const key = signal(readKey())
  const state = signal<AccessState>({
    isKeyRequired: false,
    isDialogOpen: false,
    missingScopes: [],
  })
  const change = (changes: Partial<AccessState>) => (state.value = { ...state.value, ...changes })
  return {
    state,
    key,
    report,
    setScopes(scopes, usedKey) {
      if (usedKey === key.value) change({ missingScopes: SCOPES.filter((scope) => !scopes.includes(scope)) })
    },
    openDialog: () => change({ isDialogOpen: true }),
    closeDialog: () => change({ isDialogOpen: false }),
    async submitKey(text) {
      const given = text.trim()
      const fault = faultOfText(given) ?? faultOfTrial(await tryKey(given))
      if (fault) return fault
      writeKey(given)
      state.value = { isKeyRequired: false, isDialogOpen: false, missingScopes: [] }
      key.value = given
      return null
    },
    forget() {
      writeKey(null)
      state.value = { isKeyRequired: true, isDialogOpen: false, missingScopes: [] }
      key.value = null
    },
    untilAccepted: () => until(() => !state.value.isKeyRequired),
    async untilKeyEntered() {
      change({ isDialogOpen: true })
      await until(() => !state.value.isDialogOpen)
      return !state.value.isKeyRequired
    },
  }

  function report(fault: ApiFault | null, scope: Scope | null, usedKey: string | null) {
    // Ignore a late response to a request that was sent before the key changed.
    if (usedKey !== key.value) return
    const { isKeyRequired, isDialogOpen, missingScopes } = state.value
    // Only the first 401 opens the dialog: background requests must not reopen it after the person closed it.
    if (fault?.status === 401 && !isKeyRequired) change({ isKeyRequired: true, isDialogOpen: true })
    if (!fault && isKeyRequired && !isDialogOpen) change({ isKeyRequired: false })
    if (fault?.status === 403 && scope && !missingScopes.includes(scope))
      change({ missingScopes: [...missingScopes, scope] })
  }

  function until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (isReached()) return resolve()
      const unsubscribe = onChange(state, () => {
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

/**
 * Sends a request and returns its response. After a 401 it opens the key dialog and sends the request again,
 * unless the person closes the dialog without a valid key.
 */
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

/** Reads the key from session storage, which belongs to one tab and is deleted when the tab is closed. */
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
    // If the browser forbids session storage, the key is only in memory and lost after a reload.
  }
}
