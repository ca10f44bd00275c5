// Timeline of a task: its past events, then the next attempt if the task is delayed or waits for a retry.
import type { Task } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { timelineEventsOf } from './timeline-events.ts'

export function TaskTimeline({ task }: { task: Task }) {
  return (
    <ol class="timeline">
      {timelineEventsOf(task).map(({ at, status, title, detail, isAhead }) => (
        <li key={`${title}-${at}`} class={`event ${toneOf(status)} ${isAhead ? 'is-ahead' : ''}`}>
          <StatusMark status={status} />
          <p class="event-title">{title}</p>
          <time class="event-time" datetime={at}>
            {formatTimestamp(at)}
          </time>
          {detail && <p class="event-detail">{detail}</p>}
        </li>
      ))}
    </ol>
  )
}
