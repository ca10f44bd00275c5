// Finds the tasks of a manual retry that must be the only ones of their unique key.
import { isAppError } from '../base/errors.ts'
import type { Registry } from '../definitions/registry.ts'
import { uniquenessOf } from '../definitions/uniqueness.ts'
import type { LimitStore } from '../store/held/limit-store.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { RetryClaim, UniqueRetry } from '../store/unique/retry-unique.ts'
import type { UniqueStore } from '../store/unique/unique-store.ts'

export interface RetryDependencies {
  registry: Registry
  store: Pick<TaskStore, 'retryMany'>
  limitStore: Pick<LimitStore, 'inputsOf'>
  uniqueStore: UniqueStore
}

/**
 * Creates the function that retries tasks. Those of definitions with `unique` that submissions would meet
 * again are retried only if no other task of their key is met.
 */
export function createUniqueRetry({ registry, store, limitStore, uniqueStore }: RetryDependencies) {
  const hasUnique = registry.all.some(({ unique }) => unique !== undefined)

  return async (ids: string[]): Promise<UniqueRetry> => {
    const claims = hasUnique ? await claimsOf(ids) : []
    if (claims.length === 0) return { retried: await store.retryMany(ids), blockedBy: new Map() }
    const claimed = new Set(claims.map(({ id }) => id))
    const others = ids.filter((id) => !claimed.has(id))
    const { retried, blockedBy } = await uniqueStore.retryMany(claims)
    return { retried: [...retried, ...(others.length > 0 ? await store.retryMany(others) : [])], blockedBy }
  }

  /** A task with `until: { seconds }` is met by the time of its submission, which a retry does not change. */
  async function claimsOf(ids: string[]): Promise<RetryClaim[]> {
    const states = await uniqueStore.statesOf(ids)
    // A task that has not ended yet may end before the retry. Its status is checked by the retry.
    const candidates = states.filter(({ name, attempt }) => {
      const until = registry.find(name)?.unique?.until
      return until === 'finished' || (until === 'started' && attempt === 0)
    })
    const inputs = await limitStore.inputsOf(candidates.map(({ id }) => id))
    return candidates.flatMap(({ id, name }) => {
      const unique = uniqueOf(name, inputs.get(id))
      return unique ? [{ id, name, unique }] : []
    })
  }

  function uniqueOf(name: string, input: unknown): RetryClaim['unique'] | undefined {
    const definition = registry.find(name)
    try {
      return definition && uniquenessOf(definition, input)
    } catch (error) {
      // The key function does not accept this input any more. Without a key, the task meets no other one.
      if (isAppError(error, 'invalid_input')) return undefined
      throw error
    }
  }
}
