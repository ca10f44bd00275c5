// Everything else that is known of a task, with ways to what belongs to it.
import type { Child } from 'hono/jsx/dom'
import type { Definition, Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { formatMoment } from '../parts/durations.ts'
import { useObservable } from '../parts/observable.ts'
import { hashOf } from '../route.ts'
import { WorkerLink } from './attempt-list.tsx'
import { type CallSettings, clientCallOf, curlOf } from './task-calls.ts'
import { attemptsAllowed } from './task-story.ts'

export interface TaskFactsProps {
  page: Page
  task: Task
  definition: Definition | undefined
}

export function TaskFacts({ page, task, definition }: TaskFactsProps) {
  const key = useObservable(page.access.key)
  const { isShutOut } = useObservable(page.access.state)
  const settings: CallSettings = {
    baseUrl: new URL('.', location.href.replace(/#.*/s, '')).href,
    isKeyNeeded: key !== null || isShutOut,
    definition,
  }
  return (
    <section class="panel part" aria-labelledby="facts-title">
      <h2 id="facts-title" class="panel-title">
        Details
      </h2>
      <dl class="members">
        {factsOf(task).map(([term, value]) => (
          <div key={term} class="member">
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="copies">
        <CopyButton isLabelled label="Copy as curl" text={() => curlOf(task, settings)} />
        <CopyButton isLabelled label="Copy as client call" text={() => clientCallOf(task, settings)} />
      </div>
    </section>
  )
}

function factsOf(task: Task): [string, Child][] {
  const facts: [string, Child | null][] = [
    [
      'Id',
      <span class="task-id">
        <code>{task.id}</code>
        <CopyButton text={task.id} label="Copy the id" />
      </span>,
    ],
    ['Task', <ListLink params={{ name: task.name }} text={task.name} />],
    ['Queue', <ListLink params={{ queue: task.queue }} text={task.queue} />],
    ['Worker', task.worker_id && <WorkerLink id={task.worker_id} />],
    ['Tags', task.tags.length > 0 && <Tags tags={task.tags} />],
    ['Attempt', `${task.attempt} of ${attemptsAllowed(task)}`],
    ['Timeout', `${task.timeout_seconds}\u00a0s an attempt`],
    ['Submitted', <Moment at={task.created_at} />],
    ['Due', task.run_at !== task.created_at && <Moment at={task.run_at} />],
    ['Started', task.started_at && <Moment at={task.started_at} />],
    ['Ended', task.finished_at && <Moment at={task.finished_at} />],
    ['Replay of', task.replayed_from && <TaskLink id={task.replayed_from} />],
    ['On behalf of', task.parent_id && <TaskLink id={task.parent_id} />],
    ['Callback to', task.callback_url],
    ['Callback', task.callback_id && <TaskLink id={task.callback_id} />],
    ['Request', task.request_id && <code>{task.request_id}</code>],
    ['Trace', task.traceparent && <code>{task.traceparent}</code>],
  ]
  return facts.filter((fact): fact is [string, Child] => Boolean(fact[1]))
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

function Moment({ at }: { at: string }) {
  return (
    <time datetime={at} title={at}>
      {formatMoment(at)}
    </time>
  )
}
