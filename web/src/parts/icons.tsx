// Icons, drawn in the colour of the surrounding text. They are hidden from screen readers, because a label
// or the text next to them has the same meaning.

const PATHS = {
  clock: 'M8 4.5V8l2.3 1.7',
  play: 'M6.3 5.2v5.6L10.9 8z',
  again: 'M10.9 7A3 3 0 1 0 11 8.8M11.3 4.6v2.5H8.8',
  check: 'M5 8.3l2.1 2.1L11.1 6',
  cross: 'M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6',
  bar: 'M5.2 8h5.6',
  question: 'M6.5 6.6c0-2.2 3.2-2 3.2 0 0 1.3-1.7 1.2-1.7 2.5M8 10.9v.1',
} as const

export type HexagonSign = keyof typeof PATHS

/** A hexagon that contains a small symbol, e.g. a question mark. Badges show it in addition to their text. */
export function HexagonIcon({ sign }: { sign: HexagonSign }) {
  return (
    <svg class="hexagon" viewBox="0 0 16 16" aria-hidden="true">
      <path class="hexagon-cell" d="M8 .8l6.2 3.6v7.2L8 15.2l-6.2-3.6V4.4z" />
      <path class="hexagon-sign" d={PATHS[sign]} />
    </svg>
  )
}

const ICONS = {
  unplugged:
    'M2.5 13.5l2-2M4 9l3 3 1.7-1.7a2.1 2.1 0 0 0-3-3zM13.5 2.5l-2 2M9 4l3 3 1.3-1.3a2.1 2.1 0 0 0-3-3z',
  copy: 'M6 6h7v7H6zM3.5 10V3H10',
  done: 'M3.5 8.5l3 3 6-6.5',
  remove: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  up: 'M4 9.5l4-4 4 4',
  down: 'M4 6.5l4 4 4-4',
  warning: 'M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.1',
  key: 'M7.2 8.8l6.3-6.3M11 5l2.2 2.2M9.1 6.9l1.5 1.5M8 10.7a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0z',
  show: 'M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0z',
  hide: 'M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM3 13L13 3',
  refresh: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.2 3.2',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  resume: 'M5 3l8 5-8 5z',
  example: 'M3 13l1-3.5L11 2.5l2.5 2.5L6.5 12z',
} as const

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  )
}

/** The logo: a honeycomb cell with the figure of eight of a waggle dance. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path class="logo-cell" d="M16 1.5 28.6 8.75v14.5L16 30.5 3.4 23.25V8.75z" />
      <path
        class="logo-dance"
        d="M16 16c-2.2-3.6-6.6-3.4-6.6 0s4.4 3.6 6.6 0c2.2-3.6 6.6-3.4 6.6 0s-4.4 3.6-6.6 0z"
      />
    </svg>
  )
}

/** Decorative picture for empty views: some honeycomb cells. */
export function Comb() {
  const cells = [
    [40, 26],
    [74, 26],
    [108, 26],
    [57, 55],
    [91, 55],
    [74, 84],
  ]
  return (
    <svg class="comb" viewBox="0 0 148 112" aria-hidden="true">
      {cells.map(([x, y]) => (
        <path key={`${x}-${y}`} d={`M${x} ${Number(y) - 18}l15.6 9v18l-15.6 9-15.6-9v-18z`} />
      ))}
    </svg>
  )
}
