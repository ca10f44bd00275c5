// From the visits of all rounds to one table, and the comparison with what is asked for.
import { IDLE_P50, tasksPerSecond, type Visit } from './measure.ts'
import { median } from './statistics.ts'
import type { System } from './systems.ts'

export interface Result {
  system: System
  visits: Visit[]
}

/** A Markdown table that also reads well in a terminal: the median over the rounds of each figure. */
export function formatTable(results: Result[]): string {
  const labels = [...(results[0]?.visits[0]?.figures.keys() ?? [])]
  const head = ['', ...results.map(({ system }) => system.title)]
  const body = labels.map((label) => [label, ...results.map((result) => format(figure(result, label)))])
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((row) => row[column]?.length ?? 0), 3),
  )
  const line = (row: string[]) => `| ${row.map((cell, at) => pad(cell, widths[at] ?? 0, at)).join(' | ')} |`
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...body.map(line)].join('\n')
}

const SYSTEM_NAMES = ['waggle', 'bullmq-rows', 'bullmq-tuned-rows', 'bullmq']

/** The goals and what was found, and the spread between the rounds. */
export function formatFindings(results: Result[]): string {
  const label = tasksPerSecond(256)
  const find = (name: string) => results.find(({ system }) => system.name === name)
  const [waggle, rows, tuned, jobs] = SYSTEM_NAMES.map(find)
  const findings = results.map(({ system, visits }) => {
    const rounds = visits.map(({ figures }) => format(figures.get(label) ?? Number.NaN))
    return `${label}, ${system.title}, by round: ${rounds.join(', ')}`
  })
  if (waggle && rows) findings.push(`${ratio(waggle, rows, label)} with a row per task (goal: 8)`)
  if (waggle && tuned) findings.push(`${ratio(waggle, tuned, label)} with a row per task, tuned by hand`)
  if (waggle && jobs) findings.push(`${ratio(waggle, jobs, label)} without rows (goal: 1.3)`)
  if (waggle)
    findings.push(`Idle, from submit to done: ${format(figure(waggle, IDLE_P50))} ms (goal: under 10)`)
  return findings.map((finding) => `- ${finding}`).join('\n')
}

function figure({ visits }: Result, label: string): number {
  return median(visits.map(({ figures }) => figures.get(label) ?? Number.NaN))
}

function ratio(ours: Result, theirs: Result, label: string): string {
  return `At 256 connections ${(figure(ours, label) / figure(theirs, label)).toFixed(2)} times BullMQ`
}

function format(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}
