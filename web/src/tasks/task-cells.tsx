// Cells of the task list for the columns that the person can show or hide.
import type { CompactTask } from '../api/api-client.ts'
import { formatDuration, formatSeconds, formatTimestamp } from '../parts/durations.ts'
import type { Column } from './columns.ts'

/** @param atMs when the list was loaded, by the server's clock; durations of unfinished tasks end there */
export function Cell({ column, task, atMs }: { column: Column; task: CompactTask; atMs: number }) {
  switch (column) {
    case 'input':
      return <Excerpt text={task.input_excerpt} />
    case 'result':
      return task.error && task.status !== 'SUCCESS' ? (
        <span class="cell-excerpt" title={task.error.message}>
          {`${task.error.name}: ${task.error.message}`}
        </span>
      ) : (
        <Excerpt text={task.result_excerpt ?? ''} />
      )
    case 'queue':
      return <span class="cell-name">{task.queue}</span>
    case 'priority':
      return <>{task.priority === 'normal' ? <None /> : task.priority}</>
    case 'tags':
      return task.tags.length === 0 ? (
        <None />
      ) : (
        <ul class="cell-tags" title={task.tags.join(', ')}>
          {task.tags.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )
    case 'attempts':
      return <>{task.attempt === 0 ? <None /> : task.attempt}</>
    case 'created':
      return <Timestamp at={task.created_at} />
    case 'expires':
      return task.expires_at ? <Timestamp at={task.expires_at} /> : <None />
    case 'finished':
      return task.finished_at ? <Timestamp at={task.finished_at} /> : <None />
    case 'waited':
      return <Duration ms={waitedMs(task, atMs)} isCounting={!task.is_final && task.status !== 'STARTED'} />
    case 'ran':
      return <Duration ms={ranMs(task, atMs)} isCounting={task.status === 'STARTED'} />
    case 'worker':
      return task.worker_id ? (
        <code class="cell-code" title={task.worker_id}>
          {shortId(task.worker_id)}
        </code>
      ) : (
        <None />
      )
  }
}

/** Shortens an id to its first and last digits. Ids of tasks submitted together differ in the last digits. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…${id.slice(-4)}`
}

// In lists, the API returns only this many characters of an input or result. A text of this length was
// probably cut, so it is shown with an “…”.
const EXCERPT_CHARACTERS = 200

function Excerpt({ text }: { text: string }) {
  if (text === '') return <None />
  const shown = [...text].length < EXCERPT_CHARACTERS ? text : `${text}…`
  return (
    <code class="cell-excerpt" title={shown}>
      {shown}
    </code>
  )
}

function Timestamp({ at }: { at: string }) {
  return (
    <time datetime={at} title={new Date(at).toLocaleString()}>
      {formatTimestamp(at)}
    </time>
  )
}

function Duration({ ms, isCounting }: { ms: number | null; isCounting: boolean }) {
  if (ms === null) return <None />
  if (ms < 0) return <>{`due in ${formatSeconds(-ms + 999)}`}</>
  return <>{isCounting ? formatSeconds(ms) : formatDuration(ms)}</>
}

function None() {
  return (
    <span class="quiet" title="none">
      –
    </span>
  )
}

/**
 * Returns how many milliseconds after its due time (`run_at`) the current or last attempt started. While a
 * task waits, returns the time since its next attempt became due; negative if it is not due yet.
 */
function waitedMs({ run_at, started_at, finished_at, status }: CompactTask, atMs: number): number | null {
  const isWaiting = status === 'PENDING' || status === 'RETRY'
  const until = isWaiting ? atMs : Date.parse(started_at ?? finished_at ?? '')
  const ms = until - Date.parse(run_at)
  return Number.isNaN(ms) ? null : isWaiting ? ms : Math.max(0, ms)
}

/** Returns the milliseconds that the current or last attempt has run; null while the task waits. */
function ranMs({ started_at, finished_at, status }: CompactTask, atMs: number): number | null {
  if (!started_at || status === 'PENDING' || status === 'RETRY') return null
  const until = status === 'STARTED' ? atMs : Date.parse(finished_at ?? '')
  return Number.isNaN(until) ? null : Math.max(0, until - Date.parse(started_at))
}
