// Table of the last runs of a schedule, the latest first.
import { type Column, DataTable } from '../parts/data-table.tsx'
import { StatusBadge } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import type { Run } from './run-strip.tsx'
import { TickTime } from './schedule-parts.tsx'

export function RunTable({ runs, zone }: { runs: Run[]; zone: string | null }) {
  if (runs.length === 0) return <p class="quiet">No runs yet.</p>
  const columns: Column<Run>[] = [
    {
      title: 'Tick',
      cell: ({ tick_at: at, is_manual: isManual }) => (
        <>
          <TickTime at={at} zone={zone} />
          {isManual && <span class="table-more">on request</span>}
        </>
      ),
    },
    { title: 'Status', cell: ({ status }) => <StatusBadge status={status ?? 'NOT_FOUND'} /> },
    {
      title: 'Task',
      cell: ({ task_id: id, status }) =>
        status === null ? (
          <span class="quiet">removed</span>
        ) : (
          <a href={hashOf({ view: 'task', id })}>
            <code>{`…${id.slice(-12)}`}</code>
          </a>
        ),
    },
  ]
  return (
    <DataTable
      class="table run-table"
      caption="Last runs"
      columns={columns}
      rows={runs}
      keyOf={({ task_id }) => task_id}
      hasCellLabels
    />
  )
}
