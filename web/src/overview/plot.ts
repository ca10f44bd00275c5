// The drawing of lines over time, on a canvas. Loaded when there is something to draw: the page is there before it is.
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

export interface Line {
  /** Where its colour comes from: a property of the style sheet. */
  color: `--${string}`
  /** Told apart by more than its colour. */
  isDashed: boolean
  isFilled: boolean
  values: (number | null)[]
}

export interface PlotData {
  /** Milliseconds since 1970. */
  startsAtMs: number[]
  lines: Line[]
}

export interface PlotOptions {
  formatX: (ms: number) => string
  formatY: (value: number) => string
  /** The step under the pointer; null when there is none. */
  onPoint: (index: number | null) => void
}

export interface Plot {
  show(data: PlotData): void
  /** Takes the size of its place, and the colours of the style sheet. */
  redraw(): void
  remove(): void
}

const HEIGHT = 200

export function createPlot(place: HTMLElement, first: PlotData, options: PlotOptions): Plot {
  let data = first
  let plot = draw()
  return {
    show(next) {
      const isOther = next.lines.length !== data.lines.length
      data = next
      if (isOther) again()
      else plot.setData(alignedOf(data))
    },
    redraw: again,
    remove: () => plot.destroy(),
  }

  function again() {
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
          // Over one chart the same moment is marked in the other.
          sync: { key: 'moment' },
          y: false,
          drag: { x: false, y: false },
          points: { size: 8 },
        },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
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
    // One alone between two gaps is no line: it is a point.
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
