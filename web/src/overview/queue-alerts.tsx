// What somebody has to do something about: work that waits where nobody will take it.
import type { Queue } from '../api/api-client.ts'
import { Icon } from '../parts/icons.tsx'
import { formatCount } from '../parts/numbers.ts'
import { hashOf } from '../route.ts'

export function QueueAlerts({ queues }: { queues: Queue[] }) {
  // What waits for its time is not late.
  const unserved = queues.filter((queue) => !queue.is_paused && queue.workers === 0 && isLate(queue))
  const paused = queues.filter((queue) => queue.is_paused && queue.waiting > 0)
  return (
    // Always there, so that screen readers hear what comes into it.
    <div class="alerts" role="status">
      {unserved.length > 0 && (
        <Alert
          tone="bad"
          headline={`No worker serves the ${named(unserved)}.`}
          more={`${waiting(unserved)}, and nothing of it starts until a worker does.`}
        />
      )}
      {paused.length > 0 && (
        <Alert
          tone="warn"
          headline={`The ${named(paused)} ${paused.length === 1 ? 'is' : 'are'} paused.`}
          more={`${waiting(paused)} until somebody resumes ${paused.length === 1 ? 'it' : 'them'}.`}
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

function isLate(queue: Queue): boolean {
  return queue.oldest_waiting_seconds !== null
}

const MOST_NAMES = 4

function named(queues: Queue[]): string {
  const names = queues.slice(0, MOST_NAMES).map(({ name }) => `“${name}”`)
  if (queues.length > MOST_NAMES) names.push(`${queues.length - MOST_NAMES} more`)
  return `${queues.length === 1 ? 'queue' : 'queues'} ${names.join(', ')}`
}

function waiting(queues: Queue[]): string {
  const count = queues.reduce((sum, queue) => sum + queue.waiting, 0)
  return count === 1 ? '1 task waits' : `${formatCount(count)} tasks wait`
}
