// Every worker process that was heard of lately: where it is, what it does, and whether it takes tasks.
import { ActionButton } from '../api/action-button.tsx'
import type { Worker } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatSeconds } from '../parts/durations.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { hashOf } from '../route.ts'
import { RowsSkeleton } from './rows-skeleton.tsx'

export interface WorkerTableProps {
  /** null until the API has told. */
  workers: Worker[] | null
  page: Page
  onChanged: () => void
}

export function WorkerTable({ workers, page, onChanged }: WorkerTableProps) {
  return (
    <section class="panel" aria-labelledby="workers-title">
      <h2 id="workers-title" class="panel-title">
        Workers
      </h2>
      {workers === null && <RowsSkeleton label="Asking the API for its workers" />}
      {workers?.length === 0 && (
        <div class="empty">
          <h3>No worker is up</h3>
          <p>
            What is submitted is kept, and waits. Start one: <code>npm run worker</code>, or{' '}
            <code>docker compose up -d worker</code>.
          </p>
        </div>
      )}
      {workers && workers.length > 0 && <Table workers={workers} page={page} onChanged={onChanged} />}
    </section>
  )
}

function Table({ workers, page, onChanged }: WorkerTableProps & { workers: Worker[] }) {
  // Of the answer that is rendered: the next one comes in some seconds.
  const nowMs = page.nowMs()
  const sum = (value: (worker: Worker) => number) => workers.reduce((total, each) => total + value(each), 0)
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Worker</th>
          <th scope="col">State</th>
          <th scope="col">Queues</th>
          <th scope="col" class="is-number">
            Slots in use
          </th>
          <th scope="col" class="is-number">
            Attempts ended
          </th>
          <th scope="col" class="is-number">
            Tasks failed
          </th>
          <th scope="col" class="is-number">
            Up for
          </th>
          <th scope="col" class="is-number">
            Last beat
          </th>
          <th scope="col">
            <span class="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {workers.map((worker) => (
          <WorkerRow key={worker.id} worker={worker} page={page} nowMs={nowMs} onChanged={onChanged} />
        ))}
      </tbody>
      {workers.length > 1 && (
        <tfoot>
          <tr>
            <th scope="row" colSpan={3}>
              {workers.filter(({ is_alive }) => is_alive).length} up
            </th>
            <td data-label="Slots in use" class="is-number">
              {sum(({ running }) => running)} of {sum(({ concurrency }) => concurrency)}
            </td>
            <td data-label="Attempts ended" class="is-number">
              {sum(({ processed }) => processed).toLocaleString()}
            </td>
            <td data-label="Tasks failed" class="is-number">
              {sum(({ failed }) => failed).toLocaleString()}
            </td>
            <td colSpan={3} />
          </tr>
        </tfoot>
      )}
    </table>
  )
}

interface WorkerRowProps {
  worker: Worker
  page: Page
  nowMs: number
  onChanged: () => void
}

function WorkerRow({ worker, page, nowMs, onChanged }: WorkerRowProps) {
  const { api, access } = page
  const { id, host, pid, version, concurrency, running, is_alive: isAlive, is_draining: isDraining } = worker
  const name = `${host}:${pid}`
  const tasks = (params: Record<string, string>) =>
    hashOf({ view: 'tasks', params: { worker: id, ...params } })
  return (
    <tr>
      <th scope="row" data-label="Worker">
        <a href={tasks({})}>{name}</a>
        <span class="table-more">
          {version} · {id.slice(0, 8)}
        </span>
      </th>
      <td data-label="State" aria-live="polite">
        <WorkerState worker={worker} />
      </td>
      <td data-label="Queues">{worker.queues.join(', ')}</td>
      <td data-label="Slots in use" class="is-number">
        <a href={tasks({ status: 'STARTED' })}>
          {running} of {concurrency}
        </a>
        <meter class="slots" min={0} max={concurrency} value={running} aria-hidden="true" />
      </td>
      <td data-label="Attempts ended" class="is-number">
        {worker.processed.toLocaleString()}
      </td>
      <td data-label="Tasks failed" class="is-number">
        <a href={tasks({ status: 'FAILURE' })}>{worker.failed.toLocaleString()}</a>
      </td>
      <td data-label="Up for" class="is-number">
        {formatSeconds((isAlive ? nowMs : Date.parse(worker.last_beat_at)) - Date.parse(worker.started_at))}
      </td>
      <td data-label="Last beat" class="is-number">
        {agoOf(nowMs - Date.parse(worker.last_beat_at))}
      </td>
      <td class="is-action">
        {isAlive && isDraining && (
          <ActionButton
            key="resume"
            access={access}
            text="Resume"
            label={`Let the worker ${name} take tasks again`}
            perform={() => api.resumeWorker(id)}
            onDone={onChanged}
          />
        )}
        {isAlive && !isDraining && (
          <ActionButton
            key="drain"
            access={access}
            text="Drain"
            label={`Drain the worker ${name}`}
            perform={() => api.drainWorker(id)}
            onDone={onChanged}
          />
        )}
      </td>
    </tr>
  )
}

function WorkerState({ worker }: { worker: Worker }) {
  if (!worker.is_alive) return <StateBadge tone="bad" sign="cross" text="Silent" />
  if (!worker.is_draining) return <StateBadge tone="good" sign="check" text="Working" />
  return worker.running > 0 ? (
    <StateBadge tone="warn" sign="play" text="Draining" />
  ) : (
    <StateBadge tone="warn" sign="bar" text="Drained" />
  )
}

// A beat comes every second, and is asked for every three.
function agoOf(ms: number): string {
  return ms < 5_000 ? 'just now' : `${formatSeconds(ms)} ago`
}
