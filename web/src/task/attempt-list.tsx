// Every attempt of a task: when and where it ran, how it ended, and what it said.
import { useRef, useState } from 'hono/jsx/dom'
import type { LogLine, Task, TaskStatus } from '../api/api-client.ts'
import { formatClock, formatDuration, formatMoment, formatSeconds } from '../parts/durations.ts'
import { useEffect } from '../parts/effect.ts'
import { stringifyJson } from '../parts/exact-json.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'

export interface AttemptListProps {
  task: Task
  /** Of the server's clock. */
  atMs: number
  lines: LogLine[]
  isLogLoaded: boolean
  /** Whether new lines are kept in sight. */
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

// A task can be tried a thousand times; the last few tell why.
const SHOWN_AT_FIRST = 10

export function AttemptList({ task, atMs, lines, isLogLoaded, isFollowed }: AttemptListProps) {
  const [shown, setShown] = useState(SHOWN_AT_FIRST)
  const attempts = attemptsOf(task, lines)
  const linesOf = Map.groupBy(lines, ({ attempt }) => attempt)
  if (attempts.length === 0) return <p class="quiet">None yet.</p>
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
        <button type="button" class="button is-small" onClick={() => setShown(shown + 50)}>
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
              <span class="outcome-error-name">{error.name}</span> {error.message}
            </p>
          )}
          <p class="attempt-facts">
            {startedAt && (
              <span>
                Started <time datetime={startedAt}>{formatMoment(startedAt)}</time>
              </span>
            )}
            {endedAt && (
              <span>
                Ended <time datetime={endedAt}>{formatMoment(endedAt)}</time>
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
  // Who has gone back to read something is left there.
  useEffect(() => {
    if (isFollowed && isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [lines.length, isFollowed])

  if (lines.length === 0) return isLoaded ? <p class="quiet log-empty">It has logged nothing.</p> : null
  const first = Math.max(0, lines.length - shown)
  return (
    <section
      class="log"
      ref={box}
      aria-label={`Log of attempt ${number}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
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

/** The last one first. */
function attemptsOf(task: Task, lines: LogLine[]): Attempt[] {
  const past = task.attempts.map(({ attempt, error, worker_id, started_at, ended_at }): Attempt => {
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
  const known = new Map(past.map((attempt) => [attempt.number, attempt]))
  const said = lines.map(({ attempt }) => attempt)
  const numbers = new Set([...known.keys(), ...said, ...(task.attempt > 0 ? [task.attempt] : [])])
  return [...numbers]
    .sort((a, b) => b - a)
    .map((number) => known.get(number) ?? attemptWithoutError(task, number))
}

/** It runs, went well, was cancelled, or was put back by a shutdown: nothing was written of it but the task itself. */
function attemptWithoutError(task: Task, number: number): Attempt {
  const isLast = number === task.attempt
  const status = isLast ? task.status : 'PENDING'
  const titles: Partial<Record<TaskStatus, string>> = {
    STARTED: 'runs',
    SUCCESS: 'succeeded',
    CANCELLED: 'was cancelled',
    FAILURE: 'failed',
  }
  return {
    number,
    status,
    title: `Attempt ${number} ${titles[status] ?? 'was put back'}`,
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
