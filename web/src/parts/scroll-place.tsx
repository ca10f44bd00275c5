// A region that scrolls when its content is wider or higher than the region. The keyboard can scroll it too.
import type { ComponentChildren } from 'preact'

export function ScrollPlace({ label, children }: { label: string; children?: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard can scroll it only while it has the focus (axe: scrollable-region-focusable)
    <section class="table-place" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
