// The two summaries that the bench uses: a percentile within one run and the median over several.

/** Nearest rank of an ascending list; NaN for an empty one. */
export function percentile(ascending: number[], percent: number): number {
  const rank = Math.ceil((percent / 100) * ascending.length)
  return ascending[Math.max(rank, 1) - 1] ?? Number.NaN
}

/** The middle one, or the mean of the middle two. */
export function median(values: number[]): number {
  const ascending = values.toSorted((a, b) => a - b)
  const middle = ascending.length / 2
  const low = ascending[Math.ceil(middle) - 1] ?? Number.NaN
  const high = ascending[Math.floor(middle)] ?? Number.NaN
  return (low + high) / 2
}
