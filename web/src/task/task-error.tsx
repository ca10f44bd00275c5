// Shows the error of a task or of one of its attempts.
import type { Task } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { toneOf } from '../parts/status-badge.tsx'
import { hasExpired } from './task-summary.ts'

type ErrorOfTask = NonNullable<Task['error']>

/** Shows the error of a task; renders nothing if it has none. */
export function TaskError({ task, headingLevel }: { task: Task; headingLevel: 2 | 3 }) {
  if (!task.error) return null
  const Heading = `h${headingLevel}` as const
  return (
    <section class={`outcome ${toneOf(task.status)}`} aria-label="Error">
      <Heading class="outcome-title">{headingOf(task)}</Heading>
      <p class="outcome-error">
        {hasExpired(task) ? (
          // The message of the API has the time in UTC.
          `The task had not started by ${formatTimestamp(task.expires_at ?? '')}.`
        ) : (
          <ErrorText error={task.error} />
        )}
      </p>
      <ErrorOutput error={task.error} />
    </section>
  )
}

function headingOf(task: Task): string {
  if (hasExpired(task)) return 'Expired'
  // In a status other than FAILURE, the error of a task is that of its last failed attempt.
  return task.status === 'FAILURE' ? 'Error' : 'Last error'
}

export function ErrorText({ error }: { error: ErrorOfTask }) {
  return (
    <>
      <span class="outcome-error-name">{error.name}</span> {error.message}
    </>
  )
}

/** Shows the stack of an error, and the standard error of an isolated process, collapsed. */
export function ErrorOutput({ error: { stack, stderr } }: { error: ErrorOfTask }) {
  return (
    <>
      {stack && <Output title="Stack" text={stack} />}
      {stderr && <Output title="Standard error of the process" text={stderr} />}
    </>
  )
}

function Output({ title, text }: { title: string; text: string }) {
  return (
    <details class="more-details">
      <summary>{title}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
      <pre class="output" tabIndex={0}>
        {text}
      </pre>
    </details>
  )
}
