// Group commit without timers: items that arrive during a write are written together by the next write. A
// single item on an idle system is written immediately; under load, batches grow with the rate of arrival.
import { AppError, isAppError } from './errors.ts'

export interface GroupCommit<Item, Result> {
  /**
   * Resolves with the result for this item when its batch has been written.
   * @throws AppError `overloaded` when `maxWaiting` items or `maxWaitingBytes` are waiting already; or the
   * error of the write
   */
  add(item: Item): Promise<Result>
  /** Number of items that wait for the next write. Items of the current write are not counted. */
  readonly waiting: number
}

export interface GroupCommitOptions<Item, Result> {
  /** Plural noun for the items in error messages, for example "task submissions". */
  name: string
  /** Writes all items in one statement, all or nothing. Resolves with one result per item, in their order. */
  write: (items: Item[]) => Promise<Result[]>
  /**
   * Called right after a batch was written, before its results are delivered. Must not throw: an error here
   * would count as a failed write.
   */
  onWritten?: (items: Item[], results: Result[]) => void
  maxBatch?: number
  maxWaiting?: number
  /**
   * Returns the size of an item in bytes, for the limits in bytes. Without it, only the number is limited.
   */
  sizeOf?: (item: Item) => number
  /** Maximum size of a batch, which limits the memory of one statement. A larger item is written alone. */
  maxBatchBytes?: number
  /** Maximum size of all items that wait. A larger item is accepted if no other waits. */
  maxWaitingBytes?: number
}

/**
 * Adapts `write` to a group commit whose items are lists: the elements of all lists are written together, and
 * each list gets the results for its own elements.
 */
export function writeLists<Item, Result>(
  write: (items: Item[]) => Promise<Result[]>,
): (lists: Item[][]) => Promise<Result[][]> {
  return async (lists) => {
    const results = await write(lists.flat())
    let from = 0
    return lists.map(({ length }) => {
      from += length
      return results.slice(from - length, from)
    })
  }
}

const doNothing = () => {}
const MIB = 1024 * 1024

interface Entry<Item, Result> {
  item: Item
  bytes: number
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

export function createGroupCommit<Item, Result>(
  options: GroupCommitOptions<Item, Result>,
): GroupCommit<Item, Result> {
  const { name, write, onWritten, maxBatch = 500, maxWaiting = 20_000, sizeOf } = options
  const { maxBatchBytes = 8 * MIB, maxWaitingBytes = 64 * MIB } = options
  let entries: Entry<Item, Result>[] = []
  // Size of `entries` in bytes.
  let waitingBytes = 0
  // Only one write runs at a time: with two, batches were half as large, and a batch costs Postgres and this
  // process nearly the same whatever its size.
  let isWriting = false

  return {
    add(item) {
      const bytes = sizeOf ? sizeOf(item) : 0
      const isFull = waitingBytes + bytes > maxWaitingBytes && entries.length > 0
      if (isFull || entries.length >= maxWaiting) {
        return Promise.reject(new AppError('overloaded', `Too many ${name} are waiting; try again`))
      }
      return new Promise((resolve, reject) => {
        entries.push({ item, bytes, resolve, reject })
        waitingBytes += bytes
        schedule()
      })
    },
    get waiting() {
      return entries.length
    },
  }

  // Starts a write at the end of this turn of the event loop, so that all items of the turn share the batch.
  function schedule() {
    if (isWriting) return
    isWriting = true
    setImmediate(writeNext, doNothing)
  }

  /**
   * Starts the next write, if items are waiting, and only then delivers the results of the last one, so that
   * Postgres and this process work in parallel (3 % more tasks per second).
   */
  function writeNext(deliverLast: () => void) {
    const batch = takeBatch()
    isWriting = batch.length > 0
    if (isWriting) writeBatch(batch).then((deliver) => setImmediate(writeNext, deliver))
    deliverLast()
  }

  /** Removes the items of the next batch from those that wait. */
  function takeBatch(): Entry<Item, Result>[] {
    let count = 0
    let batchBytes = 0
    for (const { bytes } of entries) {
      if (count === maxBatch || (count > 0 && batchBytes + bytes > maxBatchBytes)) break
      count++
      batchBytes += bytes
    }
    const batch = entries.slice(0, count)
    entries = entries.slice(count)
    waitingBytes -= batchBytes
    return batch
  }

  /**
   * Writes a batch. If that fails, writes its items one by one. Never rejects. Resolves with a function that
   * delivers the results or the error to the callers of `add`.
   */
  async function writeBatch(batch: Entry<Item, Result>[]): Promise<() => void> {
    const items = batch.map(({ item }) => item)
    try {
      const results = await write(items)
      onWritten?.(items, results)
      return () => {
        for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
      }
    } catch (error) {
      // The items of a failed batch are written one by one, so that a bad item fails alone. This cannot help
      // if Postgres is unavailable or the batch has one item: then all items get the error of the batch. If
      // the batch may have been written, its items must not be written again.
      if (batch.length === 1 || isOutage(error)) {
        return () => {
          for (const { reject } of batch) reject(error)
        }
      }
      await writeOneByOne(batch)
      return doNothing
    }
  }

  /**
   * Writes each item in its own statement, so that an invalid item fails alone and not the whole batch. If
   * Postgres becomes unavailable meanwhile, the remaining items fail too.
   */
  async function writeOneByOne(batch: Entry<Item, Result>[]): Promise<void> {
    for (const [index, { item, resolve, reject }] of batch.entries()) {
      try {
        const results = await write([item])
        onWritten?.([item], results)
        resolve(results[0] as Result)
      } catch (error) {
        reject(error)
        if (!isOutage(error)) continue
        // Only the item that failed can have been written; the remaining ones were not sent.
        const notSent = new AppError('unavailable', 'The database cannot be reached', { cause: error })
        for (const entry of batch.slice(index + 1)) entry.reject(notSent)
        return
      }
    }
  }
}

/** Whether the error concerns all items of a write and not one of them. */
function isOutage(error: unknown): boolean {
  return isAppError(error, 'unavailable') || isAppError(error, 'outcome_unknown')
}
