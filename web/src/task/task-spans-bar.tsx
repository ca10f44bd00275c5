// Shows how long a task waited, ran and paused: as a bar, and as sums in text.
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Task } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'
import { type Span, spansOf } from './task-spans.ts'

const LABELS: Record<Span['kind'], string> = {
  waited: 'waited',
  ran: 'ran',
  paused: 'paused between attempts',
}

// The bar and the sums cover only this many spans (periods of waiting, running or pausing), the last ones,
// because a task can have a thousand attempts.
const MAX_SPANS = 60

export function TaskSpans({ task, atMs }: { task: Task; atMs: number }) {
  const spans = spansOf(task, atMs).slice(-MAX_SPANS)
  const sums = Object.entries(LABELS).flatMap(([kind, label]) => {
    const ofKind = spans.filter((span) => span.kind === kind)
    const ms = ofKind.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)
    return ofKind.length > 0 ? [{ kind, text: `${label} ${formatDuration(ms)}` }] : []
  })
  return (
    <div class="spans">
      <div class="spans-bar" aria-hidden="true">
        {spans.map((span) => (
          <SpanBar key={`${span.kind}-${span.attempt}`} span={span} />
        ))}
      </div>
      <ul class="spans-legend" aria-label="How the time was spent">
        {sums.map(({ kind, text }) => (
          <li key={kind} class={`spans-sum is-${kind}`}>
            {text}
          </li>
        ))}
      </ul>
    </div>
  )
}

function SpanBar({ span: { kind, fromMs, toMs } }: { span: Span }) {
  const element = useRef<HTMLSpanElement>(null)
  // Sets the width of this part of the bar through the DOM, because the Content-Security-Policy forbids style
  // attributes.
  useLayoutEffect(() => {
    if (element.current) element.current.style.flexGrow = String(Math.max(1, toMs - fromMs))
  }, [fromMs, toMs])
  return <span ref={element} class={`span is-${kind}`} />
}
