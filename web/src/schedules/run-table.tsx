// Table of the last runs of a schedule, the latest first, with links to their tasks.
import { type Column, DataTable } from '../parts/data-table.tsx'
import { StatusBadge } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import { keyOfRun, type Run } from './run-strip.tsx'
import { TickTime } from './schedule-parts.tsx'

export function RunTable({ runs, zone }: { runs: Run[]; zone: string | null }) {
  if (runs.length === 0) return <p class="quiet">No runs yet.</p>
  const columns: Column<Run>[] = [
    {
      title: 'Tick',
      cell: ({ tick_at: at, task_id: id, status, is_manual: isManual, is_existing: isExisting }) => (
        <>
          {status === null ? (
            <TickTime at={at} zone={zone} />
          ) : (
            <a href={hashOf({ view: 'task', id })}>
              <TickTime at={at} zone={zone} />
            </a>
          )}
          {isManual && <span class="table-more">on request</span>}
          {isExisting && <span class="table-more">met this task</span>}
        </>
      ),
    },
    {
      title: 'Status',
      cell: ({ status }) =>
        status === null ? <span class="quiet">removed</span> : <StatusBadge status={status} />,
    },
  ]
  return (
    <DataTable class="table run-table" caption="Last runs" columns={columns} rows={runs} keyOf={keyOfRun} />
  )
}
