// How the time of a task was spent, as one bar, and the sums in words.
import { useLayoutEffect, useRef } from 'hono/jsx/dom'
import type { Task } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'
import { type Span, spansOf } from './task-spans.ts'

const WORDS: Record<Span['kind'], string> = {
  waited: 'waited',
  ran: 'ran',
  paused: 'paused between attempts',
}

// The last of very many tell enough.
const SHOWN_SPANS = 60

export function TaskSpans({ task, atMs }: { task: Task; atMs: number }) {
  const spans = spansOf(task, atMs).slice(-SHOWN_SPANS)
  const sums = Object.entries(WORDS).flatMap(([kind, words]) => {
    const ofKind = spans.filter((span) => span.kind === kind)
    const ms = ofKind.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)
    return ofKind.length > 0 ? [{ kind, text: `${words} ${formatDuration(ms)}` }] : []
  })
  return (
    <div class="spans">
      <div class="spans-bar" aria-hidden="true">
        {spans.map((span) => (
          <SpanOf key={`${span.kind}-${span.attempt}`} span={span} />
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

function SpanOf({ span: { kind, fromMs, toMs } }: { span: Span }) {
  const element = useRef<HTMLSpanElement>(null)
  // The policy of the page allows no style in markup.
  useLayoutEffect(() => {
    if (element.current) element.current.style.flexGrow = String(Math.max(1, toMs - fromMs))
  }, [fromMs, toMs])
  return <span ref={element} class={`span is-${kind}`} />
}
