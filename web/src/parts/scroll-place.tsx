// A place for what may be wider or higher than there is room: it is moved within, by keys too.
import type { Child } from 'hono/jsx/dom'

export function ScrollPlace({ label, children }: { label: string; children?: Child }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus nobody can move it by keys (axe: scrollable-region-focusable)
    <section class="table-place" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
