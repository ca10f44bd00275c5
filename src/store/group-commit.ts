// Group commit without timers: what arrives while a write is under way goes out together in the next one.
// A lone item waits for nobody; a flood forms its own large batches. One write is under way at a time: with two, batches
// are half as large, and each costs Postgres and us nearly as much.
import { AppError, isAppError } from '../errors.ts'

export interface GroupCommit<Item, Answer> {
  /**
   * Resolves with this item's own answer once its batch is written.
   * @throws AppError `overloaded` when too many wait already; whatever the write threw for this item
   */
  submit(item: Item): Promise<Answer>
  /** How many items wait for their batch. */
  readonly waiting: number
}

export interface GroupCommitOptions<Item, Answer> {
  /** What is written, for messages: "task submissions". */
  name: string
  /** Writes all items in one statement, all or nothing, and answers in their order. */
  write: (items: Item[]) => Promise<Answer[]>
  /** Called with the items of a batch and their answers right after it was written; must not throw. */
  onWritten?: (items: Item[], answers: Answer[]) => void
  maxBatch?: number
  maxWaiting?: number
}

/** For a group commit of lists: all that they hold goes out in one write, and each list gets its own answers. */
export function writeLists<Item, Answer>(
  write: (items: Item[]) => Promise<Answer[]>,
): (lists: Item[][]) => Promise<Answer[][]> {
  return async (lists) => {
    const answers = await write(lists.flat())
    let from = 0
    return lists.map(({ length }) => {
      from += length
      return answers.slice(from - length, from)
    })
  }
}

interface Entry<Item, Answer> {
  item: Item
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}

export function createGroupCommit<Item, Answer>(
  options: GroupCommitOptions<Item, Answer>,
): GroupCommit<Item, Answer> {
  const { name, write, onWritten, maxBatch = 500, maxWaiting = 20_000 } = options
  let entries: Entry<Item, Answer>[] = []
  let isUnderWay = false

  return {
    submit(item) {
      if (entries.length >= maxWaiting) {
        return Promise.reject(new AppError('overloaded', `Too many ${name} are waiting; try again`))
      }
      return new Promise((resolve, reject) => {
        entries.push({ item, resolve, reject })
        schedule()
      })
    },
    get waiting() {
      return entries.length
    },
  }

  // After this turn of the event loop, so that all requests which it brought share the first batch.
  function schedule() {
    if (isUnderWay) return
    isUnderWay = true
    setImmediate(() => {
      const batch = entries.slice(0, maxBatch)
      entries = entries.slice(maxBatch)
      flush(batch).finally(() => {
        isUnderWay = false
        if (entries.length > 0) schedule()
      })
    })
  }

  /** Never rejects: every entry gets its answer or its error. */
  async function flush(batch: Entry<Item, Answer>[]): Promise<void> {
    try {
      const answers = await write(batch.map(({ item }) => item))
      onWritten?.(
        batch.map(({ item }) => item),
        answers,
      )
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer)
    } catch (error) {
      // A bad item is to be looked for only where there are several, and Postgres is there to tell.
      if (batch.length === 1 || isAppError(error, 'unavailable')) {
        for (const { reject } of batch) reject(error)
        return
      }
      await writeOneByOne(batch)
    }
  }

  /** One bad row must not take its neighbours with it: each on its own, the bad one fails alone. */
  async function writeOneByOne(batch: Entry<Item, Answer>[]): Promise<void> {
    for (const [index, { item, resolve, reject }] of batch.entries()) {
      try {
        const answers = await write([item])
        onWritten?.([item], answers)
        resolve(answers[0] as Answer)
      } catch (error) {
        reject(error)
        if (!isAppError(error, 'unavailable')) continue
        for (const entry of batch.slice(index + 1)) entry.reject(error)
        return
      }
    }
  }
}
