// The clock of a test system: moves the time of the code and of Postgres together.
import { resetClock } from '../base/clock.ts'
import type { Database } from '../store/database.ts'
import { moveDatabaseClock } from '../store/test-database.ts'

/** A length of time: the sum of its members. */
export interface Duration {
  days?: number
  hours?: number
  minutes?: number
  seconds?: number
  milliseconds?: number
}

export interface TestClock {
  /**
   * Moves the time forward, for the code of this process (`Date`) and for Postgres. Delayed tasks, retries and
   * retention that are due by then happen at once; `advance` does not wait for them. Timers (`setTimeout`), the time
   * limits of attempts and `performance.now()` are not moved.
   * @throws RangeError if the duration is not a positive number; Error if another system of this process has moved
   *    the clock and still runs
   */
  advance(duration: Duration): Promise<void>
}

const MS: Record<keyof Duration, number> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
}

// All systems of a process share its `Date`, and each has a database of its own.
let movedBy: TestClock | undefined

/**
 * @param onMoved called after each movement
 * @returns the clock, and a function that makes the code of this process see the real time again
 */
export function createTestClock(
  database: Database,
  onMoved: () => void,
): { clock: TestClock; reset: () => void } {
  let totalMs = 0
  const clock: TestClock = {
    async advance(duration) {
      const ms = millisecondsOf(duration)
      if (movedBy && movedBy !== clock)
        throw new Error('Another test system of this process has moved the clock: stop it first')
      movedBy = clock
      totalMs += ms
      await moveDatabaseClock(database, ms, totalMs)
      onMoved()
    },
  }
  return {
    clock,
    reset() {
      if (movedBy !== clock) return
      movedBy = undefined
      resetClock()
    },
  }
}

function millisecondsOf(duration: Duration): number {
  const unknown = Object.keys(duration).find((unit) => !Object.hasOwn(MS, unit))
  if (unknown !== undefined)
    throw new RangeError(`clock.advance: "${unknown}" is unknown: expected ${Object.keys(MS).join(', ')}`)
  const ms = Object.entries(duration).reduce(
    (sum, [unit, amount]) => sum + MS[unit as keyof Duration] * amount,
    0,
  )
  if (ms > 0 && Number.isFinite(ms)) return Math.round(ms)
  throw new RangeError(
    `clock.advance: the duration must be positive, e.g. { hours: 2 }, not ${JSON.stringify(duration)}`,
  )
}
