// The last runs of a schedule as a strip of marks with the colours of their statuses, the latest one on the
// right.
import type { ScheduleWithRuns } from '../api/api-client.ts'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import { tickTexts } from './schedule-words.ts'

export type Run = ScheduleWithRuns['runs'][number]

/** Several runs can have the same task, which is unique. */
export const keyOfRun = ({ tick_at: at, task_id: id }: Run) => `${at} ${id}`

// The strip is read again at every new tick. In between, only the statuses of its tasks change.
const INTERVAL_MS = 15_000

export interface RunStripProps {
  page: Page
  name: string
  zone: string | null
  /** Changes when the schedule may have made a task. */
  version: string
}

/** The strip of a schedule in the list, which is a link to the page of the schedule. */
export function RunStrip({ page, name, zone, version }: RunStripProps) {
  const { value } = useQuery(page, {
    queryKey: `runs ${name} ${version}`,
    request: (signal) => page.api.schedule(name, signal),
    intervalMs: INTERVAL_MS,
  })
  if (value === null) return <span class="quiet">…</span>
  if (value.runs.length === 0) return <span class="quiet">none yet</span>
  return (
    <a class="runs" href={hashOf({ view: 'schedule', id: name })} aria-label={runsText(value.runs)}>
      {value.runs.toReversed().map((run) => (
        <span
          key={keyOfRun(run)}
          class={`run ${toneOf(run.status ?? 'NOT_FOUND')}`}
          title={`${run.status ?? 'removed'}, ${tickTexts(run.tick_at, zone).local}`}
        >
          <StatusMark status={run.status ?? 'NOT_FOUND'} />
        </span>
      ))}
    </a>
  )
}

/** Counts the runs by status, e.g. "Last 20 runs: 18 SUCCESS, 2 FAILURE". */
function runsText(runs: Run[]): string {
  const counts = Map.groupBy(runs, ({ status }) => status ?? 'removed')
  const parts = [...counts].map(([status, { length }]) => `${length} ${status}`)
  return `Last ${runs.length === 1 ? 'run' : `${runs.length} runs`}: ${parts.join(', ')}`
}
