// Formats figures of several rounds, and compares them.
import type { Submission } from '../load.ts'
import { median, percentile } from '../statistics.ts'
import type { Section } from './plan.ts'

/** Returns the median and the range, e.g. `1,200 (1,100 to 1,300)`. */
export function withRange(values: number[], digits = 0): string {
  const format = (value: number) =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  if (values.length === 0) return '-'
  const range = `${format(Math.min(...values))} to ${format(Math.max(...values))}`
  return `${format(median(values))}${values.length > 1 ? ` (${range})` : ''}`
}

/** Returns each value in percent of the value of `base` in the same round. */
export function percentages(values: number[], base: number[]): number[] {
  return values.map((value, round) => (100 * value) / (base[round] ?? Number.NaN))
}

/** The amount of work that was left at a time in milliseconds since 1970. */
export interface WorkLeft {
  at: number
  left: number
}

/**
 * Returns the part of a time span during which work was done, in percent: the time from the first progress in
 * the span to the last one. Progress is a sample with less work left than the sample before.
 */
export function workedShare(samples: WorkLeft[], fromMs: number, toMs: number): number {
  const progress = samples.filter(
    ({ at, left }, index) => index > 0 && left < (samples[index - 1]?.left ?? left) && at >= fromMs,
  )
  const [first, last] = [progress[0], progress.at(-1)]
  if (!first || !last || first.at > toMs) return 0
  return (100 * (Math.min(last.at, toMs) - first.at)) / (toMs - fromMs)
}

/** Returns the latencies, in ms and ascending, of the submissions that were under way in a time span. */
export function latenciesWithin(submissions: Submission[], fromMs: number, toMs: number): number[] {
  const within = submissions.filter(({ sentAt, ms }) => sentAt <= toMs && sentAt + ms >= fromMs)
  return within.map(({ ms }) => ms).sort((a, b) => a - b)
}

/** Returns the largest deviation of a value from the median, in percent of the median. */
export function largestDeviation(values: number[]): number {
  const middle = median(values)
  return Math.max(...values.map((value) => (100 * Math.abs(value - middle)) / middle))
}

export const p99 = (ascending: number[]) => percentile(ascending, 99)

/** Returns the section as Markdown. */
export function formatSection({ title, lines, bounds }: Section): string {
  const verdicts = bounds.map(({ text, isMet }) => `- ${isMet ? 'Met' : 'MISSED'}: ${text}`)
  return [`### ${title}`, '', ...lines, ...(verdicts.length > 0 ? ['', ...verdicts] : []), ''].join('\n')
}
