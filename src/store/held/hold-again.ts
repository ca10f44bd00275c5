// Holds waiting tasks whose row does not say how: tasks of a retry, and tasks that were submitted before their
// definition or queue had limits. Their keys are computed from their inputs.
import { isAppError } from '../../base/errors.ts'
import { type Hold, hasKeys, holdOf, type Limited, type Priority } from '../../definitions/limits.ts'
import type { TaskToEnqueue } from '../task-store.ts'
import type { MarkedTask } from './hold-tasks.ts'
import type { LimitStore } from './limit-store.ts'

/** A waiting task that was marked as enqueued. */
export interface UnheldTask extends TaskToEnqueue {
  name: string
  /** Null for the normal priority. */
  priority: Priority | null
}

export async function holdAgain(
  store: Pick<LimitStore, 'hold' | 'inputsOf'>,
  find: (name: string) => Limited | undefined,
  tasks: readonly UnheldTask[],
): Promise<void> {
  const knowsKeys = ({ name }: UnheldTask) => hasKeys(find(name) ?? {})
  const inputs = await store.inputsOf(tasks.filter(knowsKeys).map(({ id }) => id))
  await store.hold(
    tasks.map((task): MarkedTask => ({ ...task, hold: holdFor(task), mayLackKey: knowsKeys(task) })),
  )

  function holdFor({ id, name, priority }: UnheldTask): Hold {
    const plain: Hold = { concurrencyKey: '', rateKey: '', priority: priority ?? 'normal' }
    const definition = find(name)
    if (!definition) return plain
    try {
      return holdOf(definition, inputs.get(id), { priority: plain.priority }) ?? plain
    } catch (error) {
      // The key function does not accept this input. The task waits without a key, and its attempt may fail.
      if (isAppError(error, 'invalid_input')) return plain
      throw error
    }
  }
}
