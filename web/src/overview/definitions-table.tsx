// Table of the definitions with activity in the time window. Each name links to the tasks of the definition.
import type { Definition, Stats } from '../api/api-client.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { formatCount, formatPercent } from '../parts/numbers.ts'
import { ScrollPlace } from '../parts/scroll-place.tsx'
import { hashOf } from '../route.ts'
import { Sparkline } from './sparkline.tsx'
import { drawnSteps, formatTime } from './times.ts'

type DefinitionStats = Stats['definitions'][number]

export interface DefinitionsTableProps {
  stats: Stats
  definitions: Definition[]
  /** The time window in words, e.g. "last hour". */
  when: string
}

export function DefinitionsTable({ stats, definitions, when }: DefinitionsTableProps) {
  return (
    <section class="panel" aria-labelledby="by-definition">
      <h2 id="by-definition" class="panel-title">
        By definition
      </h2>
      <ScrollPlace label={`Definitions in the ${when}`}>
        <DataTable
          class="definitions"
          columns={columnsOf(definitions, drawnSteps(stats))}
          rows={stats.definitions}
          keyOf={({ name }) => name}
        />
      </ScrollPlace>
    </section>
  )
}

/** @param steps number of time steps that the sparklines show */
function columnsOf(definitions: Definition[], steps: number): Column<DefinitionStats>[] {
  // The style sheet hides columns with the class `definitions-wide` on narrow screens.
  const wide = { isNumber: true, class: 'definitions-wide' }
  return [
    { title: 'Task', cell: ({ name }) => <DefinitionName name={name} title={titleOf(name, definitions)} /> },
    {
      title: 'Ended over time',
      titleClass: 'definitions-line-title',
      cellClass: 'definitions-line',
      cell: ({ series }) => <Sparkline values={series.slice(0, steps)} />,
    },
    { title: 'Accepted', ...wide, cell: ({ accepted }) => formatCount(accepted) },
    { title: 'Succeeded', ...wide, cell: ({ succeeded }) => formatCount(succeeded) },
    { title: 'Failed', isNumber: true, cell: (row) => <FailedCount stats={row} /> },
    { title: 'Retried', ...wide, cell: ({ retried }) => formatCount(retried) },
    { title: 'Wait p95', ...wide, cell: (row) => formatTime(row.wait_p95_ms) },
    { title: 'Run p50', ...wide, cell: (row) => formatTime(row.run_p50_ms) },
    { title: 'Run p95', isNumber: true, cell: (row) => formatTime(row.run_p95_ms) },
  ]
}

function DefinitionName({ name, title }: { name: string; title: string }) {
  return (
    <>
      <a class="definitions-name" href={hashOf({ view: 'tasks', params: { name } })}>
        {title}
      </a>
      {title !== name && <code class="definitions-code">{name}</code>}
    </>
  )
}

function FailedCount({ stats }: { stats: DefinitionStats }) {
  const { name, failed, failure_rate: failureRate } = stats
  if (failed === 0) return <span class="quiet">0</span>
  return (
    <>
      <a class="definitions-failed" href={hashOf({ view: 'tasks', params: { name, status: 'FAILURE' } })}>
        {formatCount(failed)}
      </a>{' '}
      {failureRate !== null && <span class="definitions-rate">{formatPercent(failureRate)}</span>}
    </>
  )
}

function titleOf(name: string, definitions: Definition[]): string {
  // "other" is not a definition. Each process has separate statistics for every definition in its code, and
  // for up to 20 other names; it adds the events of all further names to the statistics of "other".
  if (name === 'other') return 'Others'
  return definitions.find((definition) => definition.name === name)?.title ?? name
}
