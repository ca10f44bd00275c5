// Decides what the submissions of one key do: create a task, meet one, or change the one that they meet.
// Pure: the caller holds the lock of the key, and if a submission may change the task, also that of its row.
import { debouncedStartMs, isMet, isWaiting } from '../../definitions/unique.ts'
import { inputTextOf, type NewTask, type UniqueTask } from '../new-tasks.ts'
import type { TaskRow } from '../schema.ts'
import type { LockedKey } from './key-locks.ts'

/** An input that a later submission has replaced. */
export interface ReplacedInput {
  /** The task whose input it was, and the number of its last attempt. */
  id: string
  attempt: number
  input: unknown
  /** The submission that has replaced it. */
  by: UniqueTask
}

/** New values of a waiting task that submissions have met. */
export interface Change {
  id: string
  runAt: Date
  /** The submission whose input the task gets. */
  by: UniqueTask
}

export interface KeyPlan {
  /** Id of the task of the key from now on. */
  taskId: string
  /** The task to insert; undefined if all submissions meet one that exists. */
  created?: UniqueTask
  /** Undefined if no submission changes the task that exists. */
  change?: Change
  replaced: ReplacedInput[]
}

/** The waiting task of the key, as far as submissions change it. */
interface Waiting {
  id: string
  attempt: number
  input: unknown
  inputText: string
  startMs: number
  /** The submission that has changed it last. */
  by?: UniqueTask
}

/**
 * @param submissions of one key, in their order
 * @param row the task of the key; undefined if there is none
 */
export function planKey(
  submissions: readonly [UniqueTask, ...UniqueTask[]],
  { firstAtMs, nowMs }: LockedKey,
  row: TaskRow | undefined,
): KeyPlan {
  const [first, ...others] = submissions
  const isExisting = row !== undefined && isMet(first.unique.until, { ...row, firstAtMs }, nowMs)
  if (isExisting && !isWaiting(row.status)) return { taskId: row.id, replaced: [] }
  const times = { firstAtMs: isExisting ? firstAtMs : nowMs, nowMs }
  const task: Waiting = isExisting
    ? {
        id: row.id,
        attempt: row.attempt,
        input: row.input,
        inputText: JSON.stringify(row.input),
        startMs: row.runAt.getTime(),
      }
    : {
        id: first.id,
        attempt: 0,
        input: first.input,
        inputText: inputTextOf(first),
        startMs: firstStartOf(first),
      }
  const replaced = (isExisting ? submissions : others).flatMap(replace)
  const runAt = new Date(Math.ceil(task.startMs))
  if (!isExisting) return { taskId: first.id, created: createdTask(first, task, runAt), replaced }
  const isChanged = replaced.length > 0 || task.startMs > row.runAt.getTime()
  return {
    taskId: row.id,
    change: isChanged && task.by ? { id: row.id, runAt, by: task.by } : undefined,
    replaced,
  }

  function firstStartOf({ unique, runAt }: UniqueTask): number {
    return debouncedStartMs(unique, { startMs: runAt?.getTime() ?? 0, ...times })
  }

  /** Changes the task by one submission. Returns the input that it had, if the new one is another. */
  function replace(by: UniqueTask): ReplacedInput[] {
    if (by.unique.onConflict === 'existing') return []
    const { id, attempt, input, inputText } = task
    task.startMs = debouncedStartMs(by.unique, { startMs: task.startMs, ...times })
    task.input = by.input
    task.inputText = inputTextOf(by)
    task.by = by
    return inputText === task.inputText ? [] : [{ id, attempt, input, by }]
  }
}

/** The first submission, with what the others have changed: input, keys of limits, start. */
function createdTask(first: UniqueTask, { input, inputText, by, startMs }: Waiting, runAt: Date): UniqueTask {
  return {
    ...first,
    input,
    inputText,
    hold: by ? holdOf(first, by) : first.hold,
    runAt: startMs > 0 ? runAt : undefined,
  }
}

function holdOf({ hold }: NewTask, by: NewTask): NewTask['hold'] {
  return (
    hold && {
      ...hold,
      concurrencyKey: by.hold?.concurrencyKey ?? '',
      rateKey: by.hold?.rateKey ?? '',
    }
  )
}
