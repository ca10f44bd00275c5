// Formats numbers as short texts. Non-breaking spaces keep a number and its unit together.
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumSignificantDigits: 3 })
const exact = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 })

/** Formats a count, e.g. "12,345". From 100,000 on it is shortened, e.g. "1.23M". */
export function formatCount(count: number): string {
  return count < 100_000 ? whole.format(count) : short.format(count)
}

/** Formats a count with all its digits, e.g. "1,234,567". */
export function formatWhole(count: number): string {
  return whole.format(count)
}

/** Formats a fraction as a percentage, e.g. "0.3 %" or "12 %"; "< 0.1 %" for smaller fractions above 0. */
export function formatPercent(fraction: number): string {
  if (fraction > 0 && fraction < 0.001) return '<\u202f0.1\u00a0%'
  return `${exact.format(fraction < 0.1 ? Math.round(fraction * 1_000) / 10 : Math.round(fraction * 100))}\u00a0%`
}

/** Formats a rate, e.g. "12.5 per s". A rate below one per second is given per minute, e.g. "3 per min". */
export function formatRate(perSecond: number): string {
  return perSecond >= 1
    ? `${formatDecimal(perSecond)} per\u00a0s`
    : `${formatDecimal(perSecond * 60)} per\u00a0min`
}

/** Formats a number with three significant digits, e.g. "12.5"; from 1,000 on as a count, e.g. "12,345". */
export function formatDecimal(value: number): string {
  return value < 1_000 ? exact.format(value) : formatCount(value)
}
