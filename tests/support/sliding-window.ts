// Counts events in sliding windows, to check rate limits exactly.

/**
 * Returns the largest number of events in any window of this length. Two events whose times differ by exactly the
 * length are in different windows.
 * @param times times of the events, in any order and in the unit of `length`
 */
export function mostWithin(times: readonly number[], length: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let first = 0
  let most = 0
  for (const [index, time] of sorted.entries()) {
    while (time - (sorted[first] as number) >= length) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}
