// Group commit without timers: what arrives while a write is under way goes out together in the next one.
// A lone item waits for nobody; a flood forms its own large batches. One write is under way at a time: with two, batches
// are half as large, and each costs Postgres and us nearly as much. But the next one is sent off before the answers of the
// last are given, so that Postgres and we are at work at the same time.
import { AppError, isAppError } from './errors.ts'

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

const NOTHING_TO_SAY = () => {}

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
    setImmediate(writeNext, NOTHING_TO_SAY)
  }

  function writeNext(answerLast: () => void) {
    const batch = entries.slice(0, maxBatch)
    entries = entries.slice(maxBatch)
    isUnderWay = batch.length > 0
    if (isUnderWay) flush(batch).then((answer) => setImmediate(writeNext, answer))
    answerLast()
  }

  /** Never rejects: resolves with what gives every entry its answer or its error. */
  async function flush(batch: Entry<Item, Answer>[]): Promise<() => void> {
    const items = batch.map(({ item }) => item)
    try {
      const answers = await write(items)
      onWritten?.(items, answers)
      return () => {
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer)
      }
    } catch (error) {
      // A bad item is to be looked for only where there are several, and Postgres is there to tell.
      if (batch.length === 1 || isAppError(error, 'unavailable')) {
        return () => {
          for (const { reject } of batch) reject(error)
        }
      }
      await writeOneByOne(batch)
      return NOTHING_TO_SAY
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
