// List of a task's attempts with the times, worker, error and log of each attempt.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { LogLine, Task, TaskStatus } from '../api/api-client.ts'
import { formatDuration, formatSeconds, formatTimestamp } from '../parts/durations.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import { LogLineItem } from './log-line.tsx'
import { RefusedEnd, type RefusedEndOfAttempt } from './refused-end.tsx'
import { ErrorOutput, ErrorText } from './task-error.tsx'
import { hasOnlyLateEnd } from './task-summary.ts'

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
  /**
   * Unique in the list. Two attempts have the same number if a crash of Postgres has undone the claim of one.
   */
  key: string
  number: number
  status: TaskStatus
  title: string
  error: Task['error']
  workerId: string | null
  startedAt: string | null
  endedAt: string | null
  refused: RefusedEndOfAttempt | null
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
            key={attempt.key}
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
  const { key, number, status, title, error, workerId, startedAt, endedAt, refused } = attempt
  const id = `attempt-${key}`
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
            <>
              <p class="attempt-error">
                <ErrorText error={error} />
              </p>
              <ErrorOutput error={error} />
            </>
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
          {refused && <RefusedEnd refused={refused} />}
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
        {lines.slice(first).map((line) => (
          <LogLineItem key={line.id} {...line} />
        ))}
      </ol>
    </section>
  )
}

/** Returns the attempts to show, latest first: those that failed or have log lines, and the last one. */
function attemptsOf(task: Task, lines: LogLine[]): Attempt[] {
  const ended = task.attempts.map((row) => endedAttempt(task, row))
  const ofLastWorker = task.attempts.filter(({ worker_id: id }) => id === task.worker_id)
  const isLastKnown = task.attempt === 0 || ofLastWorker.some(({ attempt }) => attempt === task.attempt)
  const known = new Set(ended.map(({ number }) => number))
  const logged = new Set(lines.map(({ attempt }) => attempt).filter((number) => !known.has(number)))
  if (!isLastKnown) logged.add(task.attempt)
  const others = [...logged].map((number) => attemptWithoutError(task, number))
  return [...others, ...ended].sort((a, b) => b.number - a.number)
}

function endedAttempt(task: Task, row: Task['attempts'][number]): Attempt {
  const { attempt, error, worker_id, started_at, ended_at, refused } = row
  const isLate = hasOnlyLateEnd(row)
  return {
    key: `${attempt}-${worker_id}`,
    number: attempt,
    status: isLate ? 'PENDING' : attempt === task.attempt && task.status === 'FAILURE' ? 'FAILURE' : 'RETRY',
    title: `Attempt ${attempt} ${isLate ? 'ended too late' : 'failed'}`,
    error: isLate ? null : error,
    workerId: worker_id,
    startedAt: started_at,
    endedAt: ended_at,
    refused,
  }
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
    key: String(number),
    number,
    status,
    // Replaced inputs of a unique task that has not started yet.
    title:
      number === 0 ? 'Before the first attempt' : `Attempt ${number} ${titles[status] ?? 'was released'}`,
    error: null,
    workerId: isLast ? task.worker_id : null,
    startedAt: isLast ? task.started_at : null,
    endedAt: isLast ? task.finished_at : null,
    refused: null,
  }
}

function durationOf({ startedAt, endedAt, status }: Attempt, atMs: number): string {
  if (!startedAt) return ''
  if (endedAt) return formatDuration(Date.parse(endedAt) - Date.parse(startedAt))
  return status === 'STARTED' ? formatSeconds(atMs - Date.parse(startedAt)) : ''
}
