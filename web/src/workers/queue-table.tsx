// Table of all queues, with their limits, and buttons that change the limits, pause or resume a queue.
import { useState } from 'preact/hooks'
import { ActionButton } from '../api/action-button.tsx'
import type { Queue } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatDuration } from '../parts/durations.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { hashOf } from '../route.ts'
import { LimitsDialog } from './limits-dialog.tsx'
import { limitsText } from './limits-text.ts'

export interface QueueTableProps {
  /** Null until the queues are loaded. */
  queues: Queue[] | null
  page: Page
  /** Called after a queue was paused or resumed, or its limits were changed. */
  onChanged: () => void
}

export function QueueTable({ queues, page, onChanged }: QueueTableProps) {
  const isAllowed = !page.access.state.value.missingScopes.includes('operate')
  const [edited, setEdited] = useState<Queue | null>(null)
  return (
    <section class="panel" aria-labelledby="queues-title">
      <div class="part-head">
        <h2 id="queues-title" class="panel-title">
          Queues
        </h2>
        <a class="button is-quiet is-small" href={hashOf({ view: 'keys' })}>
          Keys of limits
        </a>
      </div>
      <DataTable
        class="table"
        columns={columnsOf({ page, isAllowed, onChanged, onEdit: setEdited })}
        rows={queues}
        keyOf={({ name }) => name}
        loadingLabel="Loading the queues"
        hasCellLabels
      />
      <LimitsDialog queue={edited} page={page} onClose={() => setEdited(null)} onSaved={onChanged} />
    </section>
  )
}

interface Actions {
  page: Page
  /** Whether the API key may change queues, as far as the page knows. */
  isAllowed: boolean
  onChanged: () => void
  /** Opens the dialog with the limits of a queue. */
  onEdit: (queue: Queue) => void
}

function columnsOf({ page, isAllowed, onChanged, onEdit }: Actions): Column<Queue>[] {
  return [
    { title: 'Queue', cell: ({ name }) => <a href={tasksOf(name)}>{name}</a> },
    { title: 'State', isLive: true, cell: (queue) => <QueueState queue={queue} /> },
    {
      title: 'Waiting',
      isNumber: true,
      cell: ({ name, waiting }) => <a href={tasksOf(name, 'PENDING,RETRY')}>{waiting.toLocaleString()}</a>,
    },
    {
      title: 'Held',
      isNumber: true,
      cell: ({ name, held }) =>
        held === 0 ? (
          '–'
        ) : (
          <a href={hashOf({ view: 'keys', params: { queue: name } })}>{held.toLocaleString()}</a>
        ),
    },
    {
      title: 'Running',
      isNumber: true,
      cell: ({ name, running }) => <a href={tasksOf(name, 'STARTED')}>{running.toLocaleString()}</a>,
    },
    {
      title: 'Longest wait',
      isNumber: true,
      cell: ({ oldest_waiting_seconds: oldest }) => (oldest === null ? '–' : formatDuration(oldest * 1_000)),
    },
    { title: 'Workers', isNumber: true, cell: ({ workers }) => workers },
    {
      title: 'Limits',
      cellClass: 'is-wide',
      cell: ({ limits }) => (limits ? limitsText(limits) : <span class="quiet">none</span>),
    },
    {
      title: 'Actions',
      titleClass: 'visually-hidden',
      cellClass: 'is-action',
      cell: (queue) => {
        const action = actionOf(queue, page)
        return (
          <span class="action">
            <button
              type="button"
              class="button is-small"
              aria-label={`Change the limits of the queue ${queue.name}`}
              aria-disabled={isAllowed ? 'false' : 'true'}
              onClick={() => isAllowed && onEdit(queue)}
            >
              Limits
            </button>
            <ActionButton key={action.text} access={page.access} {...action} onDone={onChanged} />
          </span>
        )
      },
    },
  ]
}

function tasksOf(queue: string, status?: string): string {
  return hashOf({ view: 'tasks', params: { queue, ...(status && { status }) } })
}

function actionOf({ name, is_paused: isPaused }: Queue, { api }: Page) {
  return isPaused
    ? { text: 'Resume', label: `Resume the queue ${name}`, perform: () => api.resumeQueue(name) }
    : { text: 'Pause', label: `Pause the queue ${name}`, perform: () => api.pauseQueue(name) }
}

function QueueState({ queue }: { queue: Queue }) {
  if (queue.is_paused) return <StateBadge tone="warn" sign="bar" text="Paused" />
  if (queue.workers > 0) return <StateBadge tone="good" sign="check" text="Served" />
  return queue.waiting > 0 ? (
    <StateBadge tone="bad" sign="cross" text="No worker" />
  ) : (
    <StateBadge tone="calm" sign="question" text="No worker" />
  )
}
