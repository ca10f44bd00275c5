// Small line chart of a series of numbers, for a table row. It is hidden from screen readers, because other
// cells of the row contain the totals.
const WIDTH = 100
const HEIGHT = 24
// Distance of the line from the top and the bottom of the picture, so that the edges do not cut its stroke.
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
