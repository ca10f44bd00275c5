// Table of a task's properties (id, queue, timestamps, …) with links to related tasks and lists, and buttons
// that copy code snippets.
import type { ComponentChildren } from 'preact'
import type { Definition, Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { formatTimestamp } from '../parts/durations.ts'
import { hashOf } from '../route.ts'
import { WorkerLink } from './attempt-list.tsx'
import { clientSnippet, curlSnippet, type SnippetSettings } from './task-snippets.ts'
import { maxAttempts } from './task-summary.ts'

export interface TaskDetailsProps {
  page: Page
  task: Task
  definition: Definition | undefined
}

export function TaskDetails({ page, task, definition }: TaskDetailsProps) {
  const key = page.access.key.value
  const { isKeyRequired } = page.access.state.value
  const settings: SnippetSettings = {
    baseUrl: new URL('.', location.href.replace(/#.*/s, '')).href,
    isKeyNeeded: key !== null || isKeyRequired,
    definition,
  }
  return (
    <section class="panel part" aria-labelledby="facts-title">
      <h2 id="facts-title" class="panel-title">
        Details
      </h2>
      <dl class="members">
        {fieldsOf(task).map(([term, value]) => (
          <div key={term} class="member">
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {definition && (
        <div class="copies">
          <CopyButton isLabelled label="Copy as curl" text={() => curlSnippet(task, settings)} />
          <CopyButton isLabelled label="Copy as client call" text={() => clientSnippet(task, settings)} />
        </div>
      )}
    </section>
  )
}

function fieldsOf(task: Task): [string, ComponentChildren][] {
  const fields: [string, ComponentChildren | null][] = [
    [
      'Id',
      <span class="task-id">
        <code>{task.id}</code>
        <CopyButton text={task.id} label="Copy the id" />
      </span>,
    ],
    ['Definition', <ListLink params={{ name: task.name }} text={task.name} />],
    ['Queue', <ListLink params={{ queue: task.queue }} text={task.queue} />],
    ['Priority', task.priority !== 'normal' && task.priority],
    ['Worker', task.worker_id && <WorkerLink id={task.worker_id} />],
    ['Tags', task.tags.length > 0 && <Tags tags={task.tags} />],
    ['Attempt', `${task.attempt} of ${maxAttempts(task)}${task.is_isolated ? ', isolated process' : ''}`],
    ['Timeout', `${task.timeout_seconds}\u00a0s per attempt`],
    ['Submitted', <Timestamp at={task.created_at} />],
    ['Due', task.run_at !== task.created_at && <Timestamp at={task.run_at} />],
    ['Expires', task.expires_at && <Timestamp at={task.expires_at} />],
    ['Started', task.started_at && <Timestamp at={task.started_at} />],
    ['Finished', task.finished_at && <Timestamp at={task.finished_at} />],
    ['Replay of', task.replayed_from && <TaskLink id={task.replayed_from} />],
    ['Parent task', task.parent_id && <TaskLink id={task.parent_id} />],
    ['Callback URL', task.callback_url],
    ['Callback task', task.callback_id && <TaskLink id={task.callback_id} />],
    ['Request id', task.request_id && <code>{task.request_id}</code>],
    ['Trace context', task.traceparent && <code>{task.traceparent}</code>],
  ]
  return fields.filter((field): field is [string, ComponentChildren] => Boolean(field[1]))
}

function TaskLink({ id }: { id: string }) {
  return (
    <a href={hashOf({ view: 'task', id })}>
      <code>{id}</code>
    </a>
  )
}

function ListLink({ params, text }: { params: Record<string, string>; text: string }) {
  return <a href={hashOf({ view: 'tasks', params })}>{text}</a>
}

function Tags({ tags }: { tags: string[] }) {
  return (
    <ul class="value-list">
      {tags.map((tag) => (
        <li key={tag}>
          <ListLink params={{ tag }} text={tag} />
        </li>
      ))}
    </ul>
  )
}

function Timestamp({ at }: { at: string }) {
  return (
    <time datetime={at} title={at}>
      {formatTimestamp(at)}
    </time>
  )
}
