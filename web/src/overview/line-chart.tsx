// Lines over time: drawn, with the numbers of the step under the pointer, and as a table for who cannot or would not see
// the drawing.
import { useRef, useState } from 'hono/jsx/dom'
import { useEffect } from '../parts/effect.ts'
import { ScrollPlace } from '../parts/scroll-place.tsx'
import type { Line, Plot, PlotData } from './plot.ts'
import { formatStep } from './times.ts'

export interface ChartLine extends Line {
  name: string
}

export interface LineChartProps {
  id: string
  title: string
  /** What the numbers are of. */
  unit: string
  startsAtMs: number[]
  stepSeconds: number
  lines: ChartLine[]
  formatValue: (value: number) => string
  formatAxis: (value: number) => string
}

export function LineChart(props: LineChartProps) {
  const { id, title, unit, startsAtMs, stepSeconds, lines, formatValue } = props
  const [point, setPoint] = useState<number | null>(null)
  const shown = point !== null && point < startsAtMs.length ? point : startsAtMs.length - 1
  return (
    <section class="panel chart" aria-labelledby={id}>
      <div class="chart-head">
        <h2 id={id} class="panel-title">
          {title} <span class="chart-unit">{unit}</span>
        </h2>
        <p class="chart-moment">{momentOf(startsAtMs[shown], stepSeconds)}</p>
      </div>
      <ul class="legend">
        {lines.map(({ name, color, isDashed, values }) => (
          <li key={name} class={`legend-line is${color}`}>
            <svg class="legend-sample" viewBox="0 0 28 8" aria-hidden="true">
              <path class={isDashed ? 'is-dashed' : ''} d="M0 4h28" />
            </svg>
            {name} <span class="legend-value">{formatOr(values[shown], formatValue)}</span>
          </li>
        ))}
      </ul>
      <Drawing {...props} onPoint={setPoint} />
      <TableOfSteps {...props} />
    </section>
  )
}

function Drawing(props: LineChartProps & { onPoint: (index: number | null) => void }) {
  const { title, startsAtMs, lines } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | null>(null)
  // What is drawn outlives many renderings: it asks for what is current.
  const current = useRef(props)
  current.current = props

  useEffect(() => {
    const element = place.current
    if (!element) return
    const stopping = new AbortController()
    void drawIn(element, current, stopping.signal).then((drawn) => {
      plot.current = drawn
    })
    return () => stopping.abort()
  }, [])
  useEffect(() => plot.current?.show(dataOf(current.current ?? props)), [startsAtMs, lines])

  return (
    <div
      class="plot"
      ref={place}
      role="img"
      aria-label={`${title}, as a drawing; the same as a table below`}
    />
  )
}

/** Loads what draws, and keeps the drawing as wide as its place and in the colours of the page. */
async function drawIn(
  element: HTMLElement,
  current: { current: (LineChartProps & { onPoint: (index: number | null) => void }) | null },
  stopping: AbortSignal,
): Promise<Plot | null> {
  const props = () => current.current as LineChartProps & { onPoint: (index: number | null) => void }
  const loaded = await import('./plot.ts').catch(() => null)
  // Without it there is still the table.
  if (!loaded || stopping.aborted) return null
  const plot = loaded.createPlot(element, dataOf(props()), {
    formatX: (ms) => formatStep(ms, props().stepSeconds),
    formatY: (value) => props().formatAxis(value),
    onPoint: (index) => props().onPoint(index),
  })
  let width = element.clientWidth
  const resizing = new ResizeObserver(() => {
    if (element.clientWidth === width) return
    width = element.clientWidth
    plot.redraw()
  })
  resizing.observe(element)
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  scheme.addEventListener('change', plot.redraw, { signal: stopping })
  stopping.addEventListener('abort', () => {
    resizing.disconnect()
    plot.remove()
  })
  return plot
}

function dataOf({ startsAtMs, lines }: LineChartProps): PlotData {
  return { startsAtMs, lines }
}

function TableOfSteps({ title, unit, startsAtMs, stepSeconds, lines, formatValue }: LineChartProps) {
  const [isOpen, setIsOpen] = useState(false)
  return (
    <details
      class="as-table"
      onToggle={(event: Event) => {
        if (event.target instanceof HTMLDetailsElement) setIsOpen(event.target.open)
      }}
    >
      <summary>Show as a table</summary>
      {isOpen && (
        <ScrollPlace label={`${title}, as a table`}>
          <table>
            <caption class="visually-hidden">
              {title}, {unit}, newest first
            </caption>
            <thead>
              <tr>
                <th scope="col">From</th>
                {lines.map(({ name }) => (
                  <th key={name} scope="col" class="is-number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {startsAtMs.toReversed().map((ms, back) => (
                <tr key={ms}>
                  <th scope="row">{formatStep(ms, stepSeconds)}</th>
                  {lines.map(({ name, values }) => (
                    <td key={name} class="is-number">
                      {formatOr(values[startsAtMs.length - 1 - back], formatValue)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollPlace>
      )}
    </details>
  )
}

function formatOr(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value)
}

function momentOf(ms: number | undefined, stepSeconds: number): string {
  if (ms === undefined) return ''
  return `${formatStep(ms, stepSeconds)} to ${formatStep(ms + stepSeconds * 1_000, stepSeconds)}`
}
