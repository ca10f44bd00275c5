// List of a task's attempts with the times, worker, error and log of each attempt.
import { useRef, useState } from 'hono/jsx/dom'
import type { LogLine, Task, TaskStatus } from '../api/api-client.ts'
import { formatClock, formatDuration, formatSeconds, formatTimestamp } from '../parts/durations.ts'
import { useEffect } from '../parts/effect.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import { ErrorText } from './task-error.tsx'

export interface AttemptListProps {
  task: Task
  /** Time by the server's clock up to which the duration of a running attempt is counted. */
  atMs: number
  lines: LogLine[]
  isLogLoaded: boolean
  /** Whether the log of the running attempt scrolls to new lines automatically. */
  isFollowed: boolean
}

interface Attempt {
  number: number
  status: TaskStatus
  title: string
  error: Task['error']
  workerId: string | null
  startedAt: string | null
  endedAt: string | null
}

// A task can have a thousand attempts, so only the last ones are shown at first. A button adds earlier ones.
const INITIAL_ATTEMPTS = 10
const MORE_ATTEMPTS = 50

export function AttemptList({ task, atMs, lines, isLogLoaded, isFollowed }: AttemptListProps) {
  const [shown, setShown] = useState(INITIAL_ATTEMPTS)
  const attempts = attemptsOf(task, lines)
  const linesOf = Map.groupBy(lines, ({ attempt }) => attempt)
  if (attempts.length === 0) return <p class="quiet">No attempts yet.</p>
  return (
    <>
      <ol class="attempts" reversed>
        {attempts.slice(0, shown).map((attempt, index) => (
          <AttemptItem
            key={attempt.number}
            attempt={attempt}
            isOpenAtFirst={index === 0}
            atMs={atMs}
            lines={linesOf.get(attempt.number) ?? []}
            isLogLoaded={isLogLoaded}
            isFollowed={isFollowed && attempt.status === 'STARTED'}
          />
        ))}
      </ol>
      {attempts.length > shown && (
        <button type="button" class="button is-small" onClick={() => setShown(shown + MORE_ATTEMPTS)}>
          {`Show earlier attempts (${attempts.length - shown})`}
        </button>
      )}
    </>
  )
}

interface AttemptItemProps extends Omit<AttemptListProps, 'task'> {
  attempt: Attempt
  isOpenAtFirst: boolean
}

function AttemptItem({ attempt, isOpenAtFirst, atMs, lines, isLogLoaded, isFollowed }: AttemptItemProps) {
  const [isOpen, setIsOpen] = useState(isOpenAtFirst)
  const { number, status, title, error, workerId, startedAt, endedAt } = attempt
  const id = `attempt-${number}`
  return (
    <li class={`attempt ${toneOf(status)}`}>
      <button
        type="button"
        class="attempt-head"
        aria-expanded={isOpen ? 'true' : 'false'}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <StatusMark status={status} />
        <span class="attempt-title">{title}</span>
        <span class="attempt-time">{durationOf(attempt, atMs)}</span>
      </button>
      {isOpen && (
        <div id={id} class="attempt-body">
          {error && (
            <p class="attempt-error">
              <ErrorText error={error} />
            </p>
          )}
          <p class="attempt-facts">
            {startedAt && (
              <span>
                Started <time datetime={startedAt}>{formatTimestamp(startedAt)}</time>
              </span>
            )}
            {endedAt && (
              <span>
                Ended <time datetime={endedAt}>{formatTimestamp(endedAt)}</time>
              </span>
            )}
            {workerId && (
              <span>
                Worker <WorkerLink id={workerId} />
              </span>
            )}
          </p>
          <LogLines number={number} lines={lines} isLoaded={isLogLoaded} isFollowed={isFollowed} />
        </div>
      )}
    </li>
  )
}

export function WorkerLink({ id }: { id: string }) {
  return (
    <a href={hashOf({ view: 'tasks', params: { worker: id } })} title={`Tasks of worker ${id}`}>
      <code>{id.slice(0, 8)}</code>
    </a>
  )
}

const MORE_LINES = 300

interface LogLinesProps {
  number: number
  lines: LogLine[]
  isLoaded: boolean
  isFollowed: boolean
}

function LogLines({ number, lines, isLoaded, isFollowed }: LogLinesProps) {
  const [shown, setShown] = useState(MORE_LINES)
  const box = useRef<HTMLElement>(null)
  const isAtEnd = useRef(true)
  // Scrolls to new log lines only if the end of the log was visible, so that the position does not change
  // while a person reads earlier lines.
  useEffect(() => {
    if (isFollowed && isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [lines.length, isFollowed])

  if (lines.length === 0) return isLoaded ? <p class="quiet log-empty">No log lines.</p> : null
  const first = Math.max(0, lines.length - shown)
  return (
    <section
      class="log"
      ref={box}
      aria-label={`Log of attempt ${number}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
      tabIndex={0}
      onScroll={() => {
        const { scrollTop = 0, clientHeight = 0, scrollHeight = 0 } = box.current ?? {}
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24
      }}
    >
      {first > 0 && (
        <button type="button" class="link-button log-more" onClick={() => setShown(shown + MORE_LINES)}>
          {`Show earlier lines (${first.toLocaleString()})`}
        </button>
      )}
      <ol class="log-lines">
        {lines.slice(first).map(({ id, at, message, fields }) => (
          <li key={id} class="log-line">
            <time class="log-time" datetime={at} title={at}>
              {formatClock(at)}
            </time>
            <span class="log-message">
              {message}
              {fields && <span class="log-fields"> {stringifyJson(fields)}</span>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

/** Returns the attempts to show, latest first: those that failed or have log lines, and the last one. */
function attemptsOf(task: Task, lines: LogLine[]): Attempt[] {
  const failed = task.attempts.map(({ attempt, error, worker_id, started_at, ended_at }): Attempt => {
    const isLast = attempt === task.attempt
    const status = isLast && task.status === 'FAILURE' ? 'FAILURE' : 'RETRY'
    return {
      number: attempt,
      status,
      title: `Attempt ${attempt} failed`,
      error,
      workerId: worker_id,
      startedAt: started_at,
      endedAt: ended_at,
    }
  })
  const failedByNumber = new Map(failed.map((attempt) => [attempt.number, attempt]))
  const logged = lines.map(({ attempt }) => attempt)
  const numbers = new Set([...failedByNumber.keys(), ...logged, ...(task.attempt > 0 ? [task.attempt] : [])])
  return [...numbers]
    .sort((a, b) => b - a)
    .map((number) => failedByNumber.get(number) ?? attemptWithoutError(task, number))
}

/**
 * Describes an attempt that is not among the failed ones (`task.attempts`): it runs, succeeded, was
 * cancelled, or was released by a shutdown. Worker and times are known for the last attempt only.
 */
function attemptWithoutError(task: Task, number: number): Attempt {
  const isLast = number === task.attempt
  const status = isLast ? task.status : 'PENDING'
  const titles: Partial<Record<TaskStatus, string>> = {
    STARTED: 'is running',
    SUCCESS: 'succeeded',
    CANCELLED: 'was cancelled',
    FAILURE: 'failed',
  }
  return {
    number,
    status,
    title: `Attempt ${number} ${titles[status] ?? 'was released'}`,
    error: null,
    workerId: isLast ? task.worker_id : null,
    startedAt: isLast ? task.started_at : null,
    endedAt: isLast ? task.finished_at : null,
  }
}

function durationOf({ startedAt, endedAt, status }: Attempt, atMs: number): string {
  if (!startedAt) return ''
  if (endedAt) return formatDuration(Date.parse(endedAt) - Date.parse(startedAt))
  return status === 'STARTED' ? formatSeconds(atMs - Date.parse(startedAt)) : ''
}
