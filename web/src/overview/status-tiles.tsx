// Tiles with the number of tasks per status; each links to the list of these tasks.
import type { Stats, TaskStatus } from '../api/api-client.ts'
import { formatCount, formatWhole } from '../parts/numbers.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'

const NOW = ['PENDING', 'STARTED', 'RETRY'] as const
const ENDED = ['SUCCESS', 'FAILURE', 'CANCELLED'] as const

export function StatusTiles({ stats, when }: { stats: Stats; when: string }) {
  return (
    <div class="tile-groups">
      <TileGroup title="Now" statuses={NOW} stats={stats} />
      <TileGroup title={`Ended in the ${when}`} statuses={ENDED} stats={stats} />
    </div>
  )
}

function TileGroup(props: { title: string; statuses: readonly TaskStatus[]; stats: Stats }) {
  const { title, statuses, stats } = props
  const id = `tiles-${statuses[0]?.toLowerCase()}`
  return (
    <section class="tile-group" aria-labelledby={id}>
      <h2 id={id} class="tiles-title">
        {title}
      </h2>
      <ul class="tiles">
        {statuses.map((status) => (
          <Tile key={status} status={status} count={stats.by_status[status]} />
        ))}
      </ul>
    </section>
  )
}

function Tile({ status, count }: { status: TaskStatus; count: number }) {
  return (
    <li>
      <a
        class={`tile ${toneOf(status)} ${count === 0 ? 'is-none' : ''}`}
        href={hashOf({ view: 'tasks', params: { status } })}
        data-status={status}
      >
        <span class="tile-count" title={formatWhole(count)}>
          {formatCount(count)}
        </span>{' '}
        <span class="tile-label">
          <StatusMark status={status} />
          {status}
        </span>
      </a>
    </li>
  )
}
