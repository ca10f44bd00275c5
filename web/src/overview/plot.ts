// Draws lines over time on a canvas with uPlot. The module is imported only when a chart is shown, so that
// the first load of the page does not contain the library.
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

export interface Line {
  /** Name of the CSS custom property that contains the colour of the line. */
  color: `--${string}`
  /** Whether the line is dashed, so that it can be distinguished without its colour. */
  isDashed: boolean
  isFilled: boolean
  values: (number | null)[]
}

export interface PlotData {
  /** Start of each time step, in milliseconds since 1970. */
  startsAtMs: number[]
  lines: Line[]
}

export interface PlotOptions {
  formatX: (ms: number) => string
  formatY: (value: number) => string
  /** Called with the index of the time step under the pointer; null if the pointer is outside the chart. */
  onPoint: (index: number | null) => void
}

export interface Plot {
  show(data: PlotData): void
  /** Draws again with the current size of the element and the current colours of the style sheet. */
  redraw(): void
  remove(): void
}

const HEIGHT = 200

export function createPlot(place: HTMLElement, first: PlotData, options: PlotOptions): Plot {
  let data = first
  let plot = draw()
  return {
    show(next) {
      const hasOtherLines = next.lines.length !== data.lines.length
      data = next
      if (hasOtherLines) redraw()
      else plot.setData(alignedOf(data))
    },
    redraw,
    remove: () => plot.destroy(),
  }

  function redraw() {
    plot.destroy()
    plot = draw()
  }

  function draw(): uPlot {
    const style = getComputedStyle(place)
    const colorOf = (name: string) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: colorOf('--ink-soft'),
      font: `12px ${style.fontFamily}`,
      grid: { stroke: colorOf('--line'), width: 1 },
      ticks: { show: false },
    }
    return new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: {
          // Charts with the same sync key share the cursor: the pointer over one marks the time in all.
          sync: { key: 'time' },
          y: false,
          drag: { x: false, y: false },
          points: { size: 8 },
        },
        scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
        axes: [
          {
            ...axis,
            size: 30,
            space: 80,
            values: (_, seconds) => seconds.map((each) => options.formatX(each * 1_000)),
          },
          {
            ...axis,
            size: 64,
            space: 40,
            values: (_, values) => values.map(options.formatY),
          },
        ],
        series: [{}, ...data.lines.map((line) => seriesOf(line, colorOf))],
        hooks: { setCursor: [({ cursor }) => options.onPoint(cursor.idx ?? null)] },
      },
      alignedOf(data),
      place,
    )
  }
}

function seriesOf(line: Line, colorOf: (name: string) => string): uPlot.Series {
  const stroke = colorOf(line.color)
  return {
    stroke,
    width: 2,
    ...(line.isDashed && { dash: [6, 4] }),
    ...(line.isFilled && { fill: `${stroke}26` }),
    // A value between two gaps would be invisible, because no line connects it to a neighbour. A series with
    // such a value is drawn with points.
    points: { show: isAlone, size: 5, fill: stroke },
  }

  function isAlone(plot: uPlot, index: number): boolean {
    const values = plot.data[index] ?? []
    return values.some((value, at) => value != null && values[at - 1] == null && values[at + 1] == null)
  }
}

function alignedOf({ startsAtMs, lines }: PlotData): uPlot.AlignedData {
  return [startsAtMs.map((ms) => ms / 1_000), ...lines.map(({ values }) => values)]
}
