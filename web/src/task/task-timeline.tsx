// What happened to the task, in order, and what comes next.
import type { Task } from '../api/api-client.ts'
import { formatMoment } from '../parts/durations.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { storyOf } from './task-story.ts'

export function TaskTimeline({ task }: { task: Task }) {
  return (
    <ol class="timeline">
      {storyOf(task).map(({ at, status, title, detail, isAhead }) => (
        <li key={`${title}-${at}`} class={`event ${toneOf(status)} ${isAhead ? 'is-ahead' : ''}`}>
          <StatusMark status={status} />
          <p class="event-title">{title}</p>
          <time class="event-time" datetime={at}>
            {formatMoment(at)}
          </time>
          {detail && <p class="event-detail">{detail}</p>}
        </li>
      ))}
    </ol>
  )
}
