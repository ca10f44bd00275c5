// Shows the error of a task or of one of its attempts.
import type { Task } from '../api/api-client.ts'
import { toneOf } from '../parts/status-badge.tsx'

type ErrorOfTask = NonNullable<Task['error']>

/** Shows the error of a task; renders nothing if it has none. */
export function TaskError({ task, headingLevel }: { task: Task; headingLevel: 2 | 3 }) {
  if (!task.error) return null
  const Heading = `h${headingLevel}` as const
  return (
    <section class={`outcome ${toneOf(task.status)}`} aria-label="Error">
      {/* In a status other than FAILURE, the error of a task is that of its last failed attempt. */}
      <Heading class="outcome-title">{task.status === 'FAILURE' ? 'Error' : 'Last error'}</Heading>
      <p class="outcome-error">
        <ErrorText error={task.error} />
      </p>
      <ErrorOutput error={task.error} />
    </section>
  )
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
