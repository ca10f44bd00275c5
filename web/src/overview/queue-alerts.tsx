// Alerts for an operator: queues with due tasks and no worker, and paused queues with waiting tasks.
import type { Queue } from '../api/api-client.ts'
import { Icon } from '../parts/icons.tsx'
import { formatCount } from '../parts/numbers.ts'
import { hashOf } from '../route.ts'

export function QueueAlerts({ queues }: { queues: Queue[] }) {
  // A queue without a worker causes an alert only if it has due tasks: delayed tasks need no worker yet.
  const unserved = queues.filter((queue) => !queue.is_paused && queue.workers === 0 && hasDueTasks(queue))
  const paused = queues.filter((queue) => queue.is_paused && queue.waiting > 0)
  return (
    // The element is always rendered, even without alerts, because screen readers announce only changes
    // inside an existing status element.
    <div class="alerts" role="status">
      {unserved.length > 0 && (
        <Alert
          tone="bad"
          headline={`No worker serves the ${named(unserved)}.`}
          more={`${waiting(unserved)} until a worker serves ${unserved.length === 1 ? 'it' : 'them'}.`}
        />
      )}
      {paused.length > 0 && (
        <Alert
          tone="warn"
          headline={`The ${named(paused)} ${paused.length === 1 ? 'is' : 'are'} paused.`}
          more={`${waiting(paused)} until ${paused.length === 1 ? 'it is' : 'they are'} resumed.`}
        />
      )}
    </div>
  )
}

function Alert({ tone, headline, more }: { tone: 'bad' | 'warn'; headline: string; more: string }) {
  return (
    <div class={`banner tone-${tone}`}>
      <Icon name={tone === 'bad' ? 'warning' : 'pause'} />
      <p class="banner-text">
        <strong>{headline}</strong> {more}
      </p>
      <a class="button is-small" href={hashOf({ view: 'workers' })}>
        Workers and queues
      </a>
    </div>
  )
}

function hasDueTasks(queue: Queue): boolean {
  return queue.oldest_waiting_seconds !== null
}

const MAX_NAMES = 4

function named(queues: Queue[]): string {
  const names = queues.slice(0, MAX_NAMES).map(({ name }) => `“${name}”`)
  if (queues.length > MAX_NAMES) names.push(`${queues.length - MAX_NAMES} more`)
  return `${queues.length === 1 ? 'queue' : 'queues'} ${names.join(', ')}`
}

function waiting(queues: Queue[]): string {
  const count = queues.reduce((sum, queue) => sum + queue.waiting, 0)
  return count === 1 ? '1 task waits' : `${formatCount(count)} tasks wait`
}
