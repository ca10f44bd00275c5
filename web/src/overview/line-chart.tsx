// Line chart over time: a canvas, the values of the time step under the pointer, and the same numbers as a
// table, for people who cannot see the canvas or use no mouse.
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ScrollPlace } from '../parts/scroll-place.tsx'
import type { Line, Plot, PlotData } from './plot.ts'
import { formatStep } from './times.ts'

export interface ChartLine extends Line {
  name: string
}

export interface LineChartProps {
  id: string
  title: string
  /** Unit of the values, e.g. "per second". It is shown after the title. */
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
        <p class="chart-step">{stepText(startsAtMs[shown], stepSeconds)}</p>
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
  // The plot is created once and keeps its callbacks, so they read the current props from this ref.
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
      aria-label={`${title}: chart, also available as a table below`}
    />
  )
}

/**
 * Loads the chart library and draws the chart; draws it again when the element's width or the colour scheme
 * changes. Resolves with the drawn chart; null if the library cannot be loaded, or if the component was
 * removed before that.
 */
async function drawIn(
  element: HTMLElement,
  current: { current: (LineChartProps & { onPoint: (index: number | null) => void }) | null },
  stopping: AbortSignal,
): Promise<Plot | null> {
  const props = () => current.current as LineChartProps & { onPoint: (index: number | null) => void }
  const loaded = await import('./plot.ts').catch(() => null)
  // If the library cannot be loaded, shows no error, because the table below the chart has the same numbers.
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

interface Step {
  ms: number
  index: number
}

function TableOfSteps({ title, unit, startsAtMs, stepSeconds, lines, formatValue }: LineChartProps) {
  const [isOpen, setIsOpen] = useState(false)
  const from: Column<Step> = { title: 'From', cell: ({ ms }) => formatStep(ms, stepSeconds) }
  const columnOf = ({ name, values }: ChartLine): Column<Step> => ({
    title: name,
    isNumber: true,
    cell: ({ index }) => formatOr(values[index], formatValue),
  })
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
          <DataTable
            caption={`${title}, ${unit}, newest first`}
            columns={[from, ...lines.map(columnOf)]}
            rows={startsAtMs.map((ms, index) => ({ ms, index })).toReversed()}
            keyOf={({ ms }) => ms}
          />
        </ScrollPlace>
      )}
    </details>
  )
}

function formatOr(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value)
}

function stepText(ms: number | undefined, stepSeconds: number): string {
  if (ms === undefined) return ''
  return `${formatStep(ms, stepSeconds)} to ${formatStep(ms + stepSeconds * 1_000, stepSeconds)}`
}
