// Formats the measurements of all rounds as one table, and compares them with the goals.
import { IDLE_P50, type Measurement, tasksPerSecond } from './measure.ts'
import { median } from './statistics.ts'
import type { System } from './systems.ts'
import { tableOf } from './table.ts'

export interface Result {
  system: System
  measurements: Measurement[]
}

export interface Skipped {
  system: System
  /** Why the system cannot be measured on this machine. */
  problem: string
}

/** Returns a Markdown table, aligned for terminals, with the median of each figure over the rounds. */
export function formatTable(results: Result[]): string {
  const labels = [...(results[0]?.measurements[0]?.figures.keys() ?? [])]
  const head = ['', ...results.map(({ system }) => system.title)]
  const body = labels.map((label) => [label, ...results.map((result) => format(figure(result, label)))])
  return tableOf([head, ...body]).join('\n')
}

const SYSTEM_NAMES = [
  'waggle',
  'bullmq-rows',
  'bullmq-tuned-rows',
  'bullmq',
  'pg-boss',
  'graphile-worker',
  'celery',
]

/** Returns a list of the results by round, of the ratios, each with its goal, and of the skipped systems. */
export function formatFindings(results: Result[], skipped: Skipped[]): string {
  const label = tasksPerSecond(256)
  const find = (name: string) => results.find(({ system }) => system.name === name)
  const [waggle, rows, tuned, rowless, boss, graphile, celery] = SYSTEM_NAMES.map(find)
  const findings = results.map(({ system, measurements }) => {
    const rounds = measurements.map(({ figures }) => format(figures.get(label) ?? Number.NaN))
    return `${label}, ${system.title}, by round: ${rounds.join(', ')}`
  })
  if (waggle && rows)
    findings.push(`${ratio(waggle, rows, label)} times BullMQ with a row per task (goal: 8)`)
  if (waggle && tuned)
    findings.push(`${ratio(waggle, tuned, label)} times BullMQ with a row per task, tuned by hand`)
  if (waggle && rowless)
    findings.push(`${ratio(waggle, rowless, label)} times BullMQ without rows (goal: 1.3)`)
  if (waggle && boss) findings.push(`${ratio(waggle, boss, label)} times pg-boss`)
  if (waggle && graphile)
    findings.push(`${ratio(waggle, graphile, label)} times graphile-worker, which keeps no results`)
  if (waggle && celery)
    findings.push(
      `${ratio(waggle, celery, label)} times FastAPI + Celery, which keeps tasks and results in Redis only`,
    )
  if (waggle)
    findings.push(`Idle, from submit to done: ${format(figure(waggle, IDLE_P50))} ms (goal: under 10)`)
  for (const { system, problem } of skipped) findings.push(`${system.title} was not measured: ${problem}`)
  return findings.map((finding) => `- ${finding}`).join('\n')
}

function figure({ measurements }: Result, label: string): number {
  return median(measurements.map(({ figures }) => figures.get(label) ?? Number.NaN))
}

function ratio(waggle: Result, other: Result, label: string): string {
  return `At 256 connections ${(figure(waggle, label) / figure(other, label)).toFixed(2)}`
}

function format(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}
