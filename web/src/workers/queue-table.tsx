// Table of all queues, with a button that pauses or resumes a queue.
import { ActionButton } from '../api/action-button.tsx'
import type { Queue } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatDuration } from '../parts/durations.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { hashOf } from '../route.ts'

export interface QueueTableProps {
  /** Null until the queues are loaded. */
  queues: Queue[] | null
  page: Page
  /** Called after a queue was paused or resumed. */
  onChanged: () => void
}

export function QueueTable({ queues, page, onChanged }: QueueTableProps) {
  return (
    <section class="panel" aria-labelledby="queues-title">
      <h2 id="queues-title" class="panel-title">
        Queues
      </h2>
      <DataTable
        class="table"
        columns={columnsOf(page, onChanged)}
        rows={queues}
        keyOf={({ name }) => name}
        loadingLabel="Loading the queues"
        hasCellLabels
      />
    </section>
  )
}

function columnsOf(page: Page, onChanged: () => void): Column<Queue>[] {
  return [
    { title: 'Queue', cell: ({ name }) => <a href={tasksOf(name)}>{name}</a> },
    { title: 'State', isLive: true, cell: (queue) => <QueueState queue={queue} /> },
    {
      title: 'Waiting',
      isNumber: true,
      cell: ({ name, waiting }) => <a href={tasksOf(name, 'PENDING,RETRY')}>{waiting.toLocaleString()}</a>,
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
      title: 'Actions',
      titleClass: 'visually-hidden',
      cellClass: 'is-action',
      cell: (queue) => {
        const action = actionOf(queue, page)
        return <ActionButton key={action.text} access={page.access} {...action} onDone={onChanged} />
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
