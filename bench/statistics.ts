// Percentiles of one run and the median over several runs.

/** Returns the percentile of an ascending list by the nearest-rank method; NaN for an empty list. */
export function percentile(ascending: ArrayLike<number>, percent: number): number {
  const rank = Math.ceil((percent / 100) * ascending.length)
  return ascending[Math.max(rank, 1) - 1] ?? Number.NaN
}

/** Returns the middle value, or the mean of the two middle values; NaN for an empty list. */
export function median(values: number[]): number {
  const ascending = values.toSorted((a, b) => a - b)
  const middle = ascending.length / 2
  const low = ascending[Math.ceil(middle) - 1] ?? Number.NaN
  const high = ascending[Math.floor(middle)] ?? Number.NaN
  return (low + high) / 2
}
