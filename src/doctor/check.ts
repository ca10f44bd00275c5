// One line of the report of `waggle doctor`.

export interface Check {
  isOk: boolean
  /** What is fine; or what is wrong and what to do. */
  text: string
}

export const ok = (text: string): Check => ({ isOk: true, text })
export const wrong = (text: string): Check => ({ isOk: false, text })

// How far two clocks may differ. The time limits of Waggle are seconds, so a smaller difference has no effect.
const MAX_DIFFERENCE_MS = 2_000

/** @param aheadMs how far the clock of this machine is ahead, in milliseconds */
export function checkClock(server: string, aheadMs: number): Check {
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1)
  if (Math.abs(aheadMs) <= MAX_DIFFERENCE_MS) return ok(`Clocks of this machine and ${server} agree`)
  const direction = aheadMs > 0 ? 'ahead of' : 'behind'
  return wrong(
    `The clock of this machine is ${seconds} s ${direction} that of ${server}. Synchronize both, e.g. with chrony`,
  )
}
