// Compact view of a task, next to the form that submitted it.
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { Definition, Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { formatDuration, formatSeconds, formatTimestamp } from '../parts/durations.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import type { LoadedTask } from '../state/task-cache.ts'
import { JsonValue } from './json-value.tsx'
import { TaskActions } from './task-actions.tsx'
import { TaskError } from './task-error.tsx'
import { TaskHead, useTaskClock } from './task-head.tsx'
import { maxAttempts, ranMs, waitedMs } from './task-summary.ts'
import { TaskTimeline } from './task-timeline.tsx'

export interface TaskCardProps {
  page: Page
  loaded: LoadedTask
  definition: Definition | undefined
}

export function TaskCard({ page, loaded, definition }: TaskCardProps) {
  const { task } = loaded
  const clock = useTaskClock(page, loaded)
  return (
    <article class={`card ${toneOf(task.status)}`} aria-labelledby="task-title">
      <TaskHead task={task} title={definition?.title ?? task.name} clock={clock} headingLevel={2} />
      <Outcome task={task} definition={definition} />
      <Facts task={task} atMs={clock.atMs} />
      <h3 class="card-subtitle">Timeline</h3>
      <TaskTimeline task={task} />
      <details class="more-details">
        <summary>Input</summary>
        <JsonValue value={task.input} titles={definition?.input_schema.properties} />
      </details>
      <footer class="card-foot">
        <p class="task-id">
          <span class="task-id-label">Id</span> <code>{task.id}</code>
          <CopyButton text={task.id} label="Copy the id" />
        </p>
        <TaskActions page={page} task={task}>
          <a class="button is-quiet" href={hashOf({ view: 'task', id: task.id })}>
            Open
          </a>
        </TaskActions>
      </footer>
      <MissingScopeNotice access={page.access} scope="operate" />
    </article>
  )
}

/**
 * Shows the result or the error of a task. Renders nothing for a PENDING or STARTED task: its error, if any,
 * is of an earlier attempt.
 */
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
  if (task.status === 'PENDING' || task.status === 'STARTED') return null
  return <TaskError task={task} headingLevel={3} />
}

function Facts({ task, atMs }: { task: Task; atMs: number }) {
  const ran = ranMs(task, atMs)
  const formatWaited = task.is_final || task.attempt > 0 ? formatDuration : formatSeconds
  const formatRan = task.status === 'STARTED' ? formatSeconds : formatDuration
  const facts: [term: string, value: string, more?: string | false][] = [
    ['Submitted', formatTimestamp(task.created_at)],
    ['Attempt', `${task.attempt} of ${maxAttempts(task)}`, task.is_isolated && 'isolated process'],
    ['Waited', formatWaited(waitedMs(task, atMs))],
    ['Ran', ran === null ? '–' : formatRan(ran)],
  ]
  return (
    <dl class="facts">
      {facts.map(([term, value, more]) => (
        <div key={term} class="fact">
          <dt>{term}</dt>
          <dd>
            {value}
            {more && <span class="fact-more">{more}</span>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
