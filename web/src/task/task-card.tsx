// One task as it is now: status, progress, what came of it, and what happened on the way.
import type { Access } from '../api/access.ts'
import { LackingNotice } from '../api/access-notice.tsx'
import type { Answer } from '../api/api-answer.ts'
import type { Definition, Task } from '../api/api-client.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { formatDuration, formatMoment, formatSeconds } from '../parts/durations.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { JsonValue } from '../parts/json-value.tsx'
import { useNow } from '../parts/now.ts'
import { StatusBadge, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import type { LiveTask } from './live-tasks.ts'
import { TaskActions } from './task-actions.tsx'
import { TaskProgress } from './task-progress.tsx'
import { attemptsAllowed, ranMs, summaryOf, waitedMs } from './task-story.ts'
import { TaskTimeline } from './task-timeline.tsx'

export interface TaskCardProps {
  live: LiveTask & { kind: 'seen' }
  definition: Definition | undefined
  isUp: boolean
  access: Access
  nowMs: () => number
  cancel: () => Promise<Answer<unknown>>
  retry: () => Promise<Answer<unknown>>
}

export function TaskCard({ live, definition, isUp, access, nowMs, cancel, retry }: TaskCardProps) {
  const { task, seenAtMs } = live
  const isLive = isUp && !task.is_final
  useNow(isLive)
  // What nobody can see going on does not seem to go on.
  const atMs = isLive ? nowMs() : seenAtMs
  const title = definition?.title ?? task.name
  return (
    <article class={`card ${toneOf(task.status)}`} aria-labelledby="task-title">
      <header class="card-head">
        <div>
          <h2 id="task-title" class="card-title">
            {title}
          </h2>
          <p class="card-summary">
            {isLive || task.is_final
              ? summaryOf(task, atMs)
              : `As of ${formatMoment(new Date(seenAtMs).toISOString())}.`}
          </p>
        </div>
        <StatusBadge status={task.status} />
      </header>
      {/* Progress and counting seconds are not read out; a new status is. */}
      <p class="visually-hidden" role="status">
        {`${title}: ${task.status}`}
      </p>
      <TaskProgress task={task} />
      <Outcome task={task} definition={definition} />
      <Facts task={task} atMs={atMs} />
      <h3 class="card-subtitle">What happened</h3>
      <TaskTimeline task={task} />
      <details class="input-details">
        <summary>What was submitted</summary>
        <JsonValue value={task.input} titles={definition?.input_schema.properties} />
      </details>
      <footer class="card-foot">
        <p class="task-id">
          <span class="task-id-label">Id</span> <code>{task.id}</code>
          <CopyButton text={task.id} label="Copy the id" />
        </p>
        <TaskActions task={task} access={access} cancel={cancel} retry={retry}>
          <a class="button is-quiet" href={hashOf({ view: 'task', id: task.id })}>
            Open
          </a>
        </TaskActions>
      </footer>
      <LackingNotice access={access} scope="operate" />
    </article>
  )
}

/** What came of it, where that is known. */
function Outcome({ task, definition }: { task: Task; definition: Definition | undefined }) {
  if (task.status === 'SUCCESS') {
    return (
      <section class="outcome tone-good" aria-label="Result">
        <div class="outcome-head">
          <h3>Result</h3>
          <CopyButton text={() => stringifyJson(task.result, 2)} label="Copy the result as JSON" />
        </div>
        <JsonValue value={task.result} titles={definition?.output_schema.properties} />
      </section>
    )
  }
  if (!task.error || task.status === 'PENDING' || task.status === 'STARTED') return null
  return (
    <section class={`outcome ${toneOf(task.status)}`} aria-label="Error">
      <h3>{task.status === 'FAILURE' ? 'Why it failed' : 'The last attempt failed'}</h3>
      <p class="outcome-error">
        <span class="outcome-error-name">{task.error.name}</span> {task.error.message}
      </p>
    </section>
  )
}

function Facts({ task, atMs }: { task: Task; atMs: number }) {
  const ran = ranMs(task, atMs)
  const duration = task.is_final ? formatDuration : formatSeconds
  const facts = [
    ['Submitted', formatMoment(task.created_at)],
    ['Attempt', `${task.attempt} of ${attemptsAllowed(task)}`],
    ['Waited', task.attempt > 0 ? formatDuration(waitedMs(task, atMs)) : duration(waitedMs(task, atMs))],
    ['Ran', ran === null ? '–' : task.status === 'STARTED' ? formatSeconds(ran) : formatDuration(ran)],
  ]
  return (
    <dl class="facts">
      {facts.map(([term, value]) => (
        <div key={term} class="fact">
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
