// Table of the workers that are up and of those that became missing recently, with a button that drains or
// resumes a worker.
import { ActionButton } from '../api/action-button.tsx'
import type { Worker } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatSeconds } from '../parts/durations.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { hashOf } from '../route.ts'

export interface WorkerTableProps {
  /** Null until the workers are loaded. */
  workers: Worker[] | null
  page: Page
  /** Called after a worker was drained or resumed. */
  onChanged: () => void
}

export function WorkerTable({ workers, page, onChanged }: WorkerTableProps) {
  const up = workers?.filter(({ is_alive }) => is_alive) ?? []
  return (
    <section class="panel" aria-labelledby="workers-title">
      <h2 id="workers-title" class="panel-title">
        Workers
      </h2>
      {workers?.length === 0 ? (
        <div class="empty">
          <h3>No worker is up</h3>
          <p>
            Submitted tasks are kept and wait for a worker. Start one: <code>npm run worker</code>, or{' '}
            <code>docker compose up -d worker</code>.
          </p>
        </div>
      ) : (
        <DataTable
          class="table"
          columns={columnsOf(workers ?? [], page, onChanged)}
          rows={workers}
          keyOf={({ id }) => id}
          loadingLabel="Loading the workers"
          hasCellLabels
          totalsTitle={workers && workers.length > 1 ? `${up.length} up` : null}
        />
      )}
    </section>
  )
}

function columnsOf(workers: Worker[], page: Page, onChanged: () => void): Column<Worker>[] {
  // Uptimes and ages of heartbeats are not counted up every second, because the next response arrives within
  // seconds.
  const nowMs = page.nowMs()
  const sum = (countOf: (worker: Worker) => number) =>
    workers.reduce((total, worker) => total + countOf(worker), 0)
  const isolated = sum((worker) => worker.isolated_processes)
  return [
    {
      title: 'Worker',
      cell: (worker) => (
        <>
          <a href={tasksOf(worker)}>{nameOf(worker)}</a>
          <span class="table-more">
            {worker.version} · {worker.id.slice(0, 8)}
          </span>
        </>
      ),
    },
    { title: 'State', isLive: true, cell: (worker) => <WorkerState worker={worker} /> },
    { title: 'Queues', cell: ({ queues }) => queues.join(', ') },
    {
      title: isolated > 0 ? 'Slots in use + isolated processes' : 'Slots in use',
      isNumber: true,
      cell: (worker) => (
        <>
          <a href={tasksOf(worker, 'STARTED')}>{slotsText(worker.running, worker.concurrency)}</a>
          <Isolated count={worker.isolated_processes} />
          <meter
            class="slots"
            min={0}
            max={worker.concurrency + worker.isolated_processes}
            value={worker.running}
            aria-hidden="true"
          />
          {worker.leaked > 0 && (
            <span class="slots-leaked" title="Handlers that ignore their abort still use these slots">
              {worker.leaked} leaked
            </span>
          )}
        </>
      ),
      total: (
        <>
          {slotsText(
            sum(({ running }) => running),
            sum(({ concurrency }) => concurrency),
          )}
          <Isolated count={isolated} />
        </>
      ),
    },
    {
      title: 'Attempts ended',
      isNumber: true,
      cell: ({ processed }) => processed.toLocaleString(),
      total: sum(({ processed }) => processed).toLocaleString(),
    },
    {
      title: 'Tasks failed',
      isNumber: true,
      cell: (worker) => <a href={tasksOf(worker, 'FAILURE')}>{worker.failed.toLocaleString()}</a>,
      total: sum(({ failed }) => failed).toLocaleString(),
    },
    { title: 'Uptime', isNumber: true, cell: (worker) => formatSeconds(uptimeMs(worker, nowMs)) },
    {
      title: 'Last heartbeat',
      isNumber: true,
      cell: ({ last_beat_at: lastBeatAt }) => formatAgo(nowMs - Date.parse(lastBeatAt)),
    },
    {
      title: 'Actions',
      titleClass: 'visually-hidden',
      cellClass: 'is-action',
      cell: (worker) => {
        const action = worker.is_alive && actionOf(worker, page)
        return (
          action && <ActionButton key={action.text} access={page.access} {...action} onDone={onChanged} />
        )
      },
    },
  ]
}

/** Shows the number of isolated processes, if there are any. */
function Isolated({ count }: { count: number }) {
  if (count === 0) return null
  return (
    <span title="Isolated processes: each runs one attempt, in addition to the slots">{` + ${count} isolated`}</span>
  )
}

function nameOf({ host, pid }: Worker): string {
  return `${host}:${pid}`
}

function tasksOf({ id }: Worker, status?: string): string {
  return hashOf({ view: 'tasks', params: { worker: id, ...(status && { status }) } })
}

function slotsText(running: number, slots: number): string {
  return `${running} of ${slots}`
}

/** Returns for how long a worker has been up. A missing worker was up until its last heartbeat. */
function uptimeMs(worker: Worker, nowMs: number): number {
  const endMs = worker.is_alive ? nowMs : Date.parse(worker.last_beat_at)
  return endMs - Date.parse(worker.started_at)
}

// A last heartbeat younger than this is shown as "just now". Workers send one every second, and the page
// queries every three seconds, so such an age is normal.
const RECENT_MS = 5_000

function formatAgo(ms: number): string {
  return ms < RECENT_MS ? 'just now' : `${formatSeconds(ms)} ago`
}

function actionOf(worker: Worker, { api }: Page) {
  const name = nameOf(worker)
  return worker.is_draining
    ? { text: 'Resume', label: `Resume the worker ${name}`, perform: () => api.resumeWorker(worker.id) }
    : { text: 'Drain', label: `Drain the worker ${name}`, perform: () => api.drainWorker(worker.id) }
}

function WorkerState({ worker }: { worker: Worker }) {
  if (!worker.is_alive) return <StateBadge tone="bad" sign="cross" text="Missing" />
  if (!worker.is_draining) return <StateBadge tone="good" sign="check" text="Working" />
  return worker.running > 0 ? (
    <StateBadge tone="warn" sign="play" text="Draining" />
  ) : (
    <StateBadge tone="warn" sign="bar" text="Drained" />
  )
}
