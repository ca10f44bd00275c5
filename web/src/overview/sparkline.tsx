// A small line of a series of numbers. Hidden from screen readers: the cells of the same row hold the totals.
const WIDTH = 100
const HEIGHT = 24
// Keeps the stroke of the line inside the picture at the top and at the bottom.
const MARGIN = 2

export function Sparkline({ values }: { values: number[] }) {
  const max = Math.max(1, ...values)
  const points = values.map((value, index) => {
    const x = (index / Math.max(1, values.length - 1)) * WIDTH
    const y = HEIGHT - MARGIN - (value / max) * (HEIGHT - 2 * MARGIN)
    return `${x.toFixed(1)} ${y.toFixed(1)}`
  })
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="sparkline-area" d={`M0 ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}z`} />
      <path class="sparkline-line" d={`M${points.join('L')}`} />
    </svg>
  )
}
