// Key figures of the overview: workers, throughput, failure rate, oldest waiting task, wait and run times.
import type { Stats, Worker } from '../api/api-client.ts'
import { formatSeconds } from '../parts/durations.ts'
import { formatCount, formatPercent, formatRate } from '../parts/numbers.ts'
import { formatTime } from './times.ts'

export function KeyFigures({ stats, workers }: { stats: Stats; workers: Worker[] | null }) {
  const { failure_rate: failures, oldest_waiting_seconds: oldest } = stats
  const up = workers?.filter(({ is_alive }) => is_alive) ?? []
  const slots = up.reduce((sum, worker) => sum + worker.concurrency + worker.isolated_processes, 0)
  return (
    <dl class="figures">
      <Figure
        name="Workers up"
        value={workers === null ? '…' : String(up.length)}
        more={
          workers === null
            ? ''
            : up.length === 0
              ? 'no task can start'
              : `${stats.running} of ${slots} slots busy`
        }
        isBad={workers !== null && up.length === 0}
      />
      <Figure
        name="Throughput"
        value={formatRate(stats.throughput_per_second)}
        more={`${formatRate(acceptedPerSecond(stats))} accepted`}
      />
      <Figure
        name="Failure rate"
        value={failures === null ? '–' : formatPercent(failures)}
        more={failures === null ? 'no task ended' : retriedText(stats.series.retried.reduce(sum, 0))}
      />
      <Figure
        name="Oldest waiting"
        value={oldest === null ? '–' : formatSeconds(oldest * 1_000)}
        more={oldest === null ? 'no task is overdue' : 'since it was due'}
      />
      <Times name="Wait" hint="from due to started" times={stats.wait_ms} />
      <Times name="Run" hint="per attempt" times={stats.run_ms} />
    </dl>
  )
}

interface FigureProps {
  name: string
  value: string
  more: string
  isBad?: boolean
}

function retriedText(attempts: number): string {
  return `${formatCount(attempts)} ${attempts === 1 ? 'attempt' : 'attempts'} retried`
}

function Figure({ name, value, more, isBad }: FigureProps) {
  return (
    <div class={`figure ${isBad ? 'is-bad' : ''}`}>
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{value}</span>
        <span class="figure-more">{more}</span>
      </dd>
    </div>
  )
}

const PERCENTILES = ['p50', 'p95', 'p99'] as const

function Times({ name, hint, times }: { name: string; hint: string; times: Stats['wait_ms'] }) {
  return (
    <div class="figure">
      <dt>
        {name} <span class="figure-more">{hint}</span>
      </dt>
      <dd class="figure-times">
        {PERCENTILES.map((percentile) => (
          <span key={percentile} class="figure-time">
            <span class="figure-value">{formatTime(times[percentile])}</span>{' '}
            <span class="figure-more">{percentile}</span>
          </span>
        ))}
      </dd>
    </div>
  )
}

function acceptedPerSecond({ accepted, at, series }: Stats): number {
  const seconds = (Date.parse(at) - Date.parse(series.starts_at[0] ?? at)) / 1_000
  return accepted / Math.max(1, seconds)
}

function sum(total: number, count: number): number {
  return total + count
}
