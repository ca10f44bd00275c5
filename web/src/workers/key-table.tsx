// Table of the keys of limits with their counts.
import type { ComponentChildren } from 'preact'
import type { KeyCount } from '../api/api-client.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { hashOf } from '../route.ts'

export interface KeyTableProps {
  /** Null until the keys are loaded. */
  rows: KeyCount[] | null
  /** Whether the table has all keys of the chosen queue and definition. */
  isComplete: boolean
}

export function KeyTable({ rows, isComplete }: KeyTableProps) {
  return (
    <DataTable
      class="table"
      caption="Keys of limits"
      columns={columnsOf(rows ?? [], isComplete)}
      rows={rows}
      keyOf={(row) => JSON.stringify([row.name, row.queue, row.priority, row.concurrency_key, row.rate_key])}
      loadingLabel="Loading the keys"
      hasCellLabels
    />
  )
}

function columnsOf(rows: KeyCount[], isComplete: boolean): Column<KeyCount>[] {
  return [
    { title: 'Key', cell: (row) => <Keys row={row} /> },
    { title: 'Definition', cell: ({ name, queue }) => <a href={tasksOf(name, queue)}>{name}</a> },
    { title: 'Queue', cell: ({ queue }) => queue },
    { title: 'Priority', cell: ({ priority }) => priority },
    { title: 'Waiting', isNumber: true, cell: (row) => count(row, row.waiting, 'PENDING,RETRY') },
    { title: 'Running', isNumber: true, cell: (row) => count(row, row.running, 'STARTED') },
  ]

  /** Links to the counted tasks if the list of tasks can show exactly these: it has no filter for keys. */
  function count(row: KeyCount, number: number, status: string): ComponentChildren {
    const text = number.toLocaleString()
    const isAlone = isComplete && rows.every((other) => other === row || !isSameTasks(other, row))
    const isKeyed = row.concurrency_key !== null || row.rate_key !== null
    return isAlone && !isKeyed ? <a href={tasksOf(row.name, row.queue, status)}>{text}</a> : text
  }
}

function isSameTasks(a: KeyCount, b: KeyCount): boolean {
  return a.name === b.name && a.queue === b.queue
}

function Keys({ row: { concurrency_key: concurrency, rate_key: rate } }: { row: KeyCount }) {
  if (concurrency === null && rate === null) return <span class="quiet">no key</span>
  if (concurrency === rate) return <Key text={concurrency ?? ''} limit="concurrency and rate" />
  return (
    <>
      {concurrency !== null && <Key text={concurrency} limit="concurrency" />}
      {rate !== null && <Key text={rate} limit="rate" />}
    </>
  )
}

function Key({ text, limit }: { text: string; limit: string }) {
  return (
    <span class="limit-key">
      <code>{text}</code> <span class="table-more">{limit}</span>
    </span>
  )
}

function tasksOf(name: string, queue: string, status = 'PENDING,RETRY'): string {
  return hashOf({ view: 'tasks', params: { name, queue, status } })
}
