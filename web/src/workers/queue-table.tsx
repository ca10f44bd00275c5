// Every queue: what waits in it, who serves it, and whether it is paused.
import { ActionButton } from '../api/action-button.tsx'
import type { Queue } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatDuration } from '../parts/durations.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { hashOf } from '../route.ts'
import { RowsSkeleton } from './rows-skeleton.tsx'

export interface QueueTableProps {
  /** null until the API has told. */
  queues: Queue[] | null
  page: Page
  onChanged: () => void
}

export function QueueTable({ queues, page, onChanged }: QueueTableProps) {
  return (
    <section class="panel" aria-labelledby="queues-title">
      <h2 id="queues-title" class="panel-title">
        Queues
      </h2>
      {queues === null ? (
        <RowsSkeleton label="Asking the API for its queues" />
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Queue</th>
              <th scope="col">State</th>
              <th scope="col" class="is-number">
                Waiting
              </th>
              <th scope="col" class="is-number">
                Running
              </th>
              <th scope="col" class="is-number">
                Longest wait
              </th>
              <th scope="col" class="is-number">
                Workers
              </th>
              <th scope="col">
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {queues.map((queue) => (
              <QueueRow key={queue.name} queue={queue} page={page} onChanged={onChanged} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function QueueRow({ queue, page, onChanged }: { queue: Queue; page: Page; onChanged: () => void }) {
  const { name, waiting, running, oldest_waiting_seconds: oldest, is_paused: isPaused, workers } = queue
  const { api, access } = page
  const tasks = (params: Record<string, string>) =>
    hashOf({ view: 'tasks', params: { queue: name, ...params } })
  return (
    <tr>
      <th scope="row" data-label="Queue">
        <a href={tasks({})}>{name}</a>
      </th>
      <td data-label="State" aria-live="polite">
        <QueueState queue={queue} />
      </td>
      <td data-label="Waiting" class="is-number">
        <a href={tasks({ status: 'PENDING,RETRY' })}>{waiting.toLocaleString()}</a>
      </td>
      <td data-label="Running" class="is-number">
        <a href={tasks({ status: 'STARTED' })}>{running.toLocaleString()}</a>
      </td>
      <td data-label="Longest wait" class="is-number">
        {oldest === null ? '–' : formatDuration(oldest * 1_000)}
      </td>
      <td data-label="Workers" class="is-number">
        {workers}
      </td>
      <td class="is-action">
        {isPaused ? (
          <ActionButton
            key="resume"
            access={access}
            text="Resume"
            label={`Resume the queue ${name}`}
            perform={() => api.resumeQueue(name)}
            onDone={onChanged}
          />
        ) : (
          <ActionButton
            key="pause"
            access={access}
            text="Pause"
            label={`Pause the queue ${name}`}
            perform={() => api.pauseQueue(name)}
            onDone={onChanged}
          />
        )}
      </td>
    </tr>
  )
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
