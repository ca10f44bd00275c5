// Table of schedules with their next ticks and last runs.
import type { Schedule } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { hashOf } from '../route.ts'
import { RunStrip } from './run-strip.tsx'
import { NextTick, ScheduleActions, ScheduleState, Times } from './schedule-parts.tsx'

export interface ScheduleTableProps {
  page: Page
  /** Null until the schedules are loaded. */
  rows: Schedule[] | null
  /** Number of changes that were made on this page. */
  changes: number
  /** Called after a schedule was run, paused or resumed. */
  onChanged: () => void
}

export function ScheduleTable({ page, rows, changes, onChanged }: ScheduleTableProps) {
  const columns: Column<Schedule>[] = [
    {
      title: 'Schedule',
      cell: ({ name, definition, source }) => (
        <>
          <a href={hashOf({ view: 'schedule', id: name })}>{name}</a>
          <span class="table-more">{source === 'code' ? `${definition} · in the code` : definition}</span>
        </>
      ),
    },
    { title: 'State', isLive: true, cell: (schedule) => <ScheduleState schedule={schedule} /> },
    { title: 'Times', cell: (schedule) => <Times schedule={schedule} /> },
    { title: 'Next run', cell: (schedule) => <NextTick schedule={schedule} page={page} /> },
    {
      title: 'Last runs',
      cellClass: 'is-wide',
      cell: ({ name, time_zone: zone, last_tick_at: lastTickAt }) => (
        <RunStrip key={name} page={page} name={name} zone={zone} version={`${lastTickAt} ${changes}`} />
      ),
    },
    {
      title: 'Actions',
      titleClass: 'visually-hidden',
      cellClass: 'is-action',
      cell: (schedule) => <ScheduleActions page={page} schedule={schedule} onDone={onChanged} />,
    },
  ]
  return (
    <DataTable
      class="table schedules"
      columns={columns}
      rows={rows}
      keyOf={({ name }) => name}
      loadingLabel="Loading the schedules"
      hasCellLabels
    />
  )
}
