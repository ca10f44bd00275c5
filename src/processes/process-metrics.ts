// The metrics of all processes of a supervisor, as one.
import type { MetricsSnapshot } from '../telemetry/metrics-of-processes.ts'
import type { ManagedProcess, ProcessEnd } from './managed-process.ts'

export interface ProcessMetrics {
  /**
   * Returns the metrics of all processes in Prometheus's text format. Requests at the same time share one
   * result.
   */
  render(): Promise<string>
  /** Keeps the counters of a process that has ended, so that no sum decreases. */
  keep(process: ManagedProcess, end: ProcessEnd): void
}

/** Question that a supervisor sends to a process. The answer is its `MetricsSnapshot`. */
export const METRICS = 'metrics'
/**
 * Question that a process sends to its supervisor. The answer is the text of the metrics of all processes.
 */
export const METRICS_OF_ALL = 'metrics of all'
// Longer than the two seconds that a process waits for Postgres, for the metrics of queues.
const ANSWER_LIMIT_MS = 3_000
const MAX_ENDED = 20

export function createProcessMetrics(processes: () => ManagedProcess[]): ProcessMetrics {
  /**
   * The last snapshot of each process: a process that computes does not answer, and one that crashes is not
   * asked.
   */
  const latest = new Map<ManagedProcess, MetricsSnapshot>()
  const ended: MetricsSnapshot[] = []
  let rendering: Promise<string> | null = null
  return {
    render() {
      rendering ??= render().finally(() => {
        rendering = null
      })
      return rendering
    },
    keep(process, { metrics }) {
      const last = (metrics as MetricsSnapshot | undefined) ?? latest.get(process)
      latest.delete(process)
      if (last) ended.push(last)
      // Adds them up also if the metrics are never read.
      if (ended.length > MAX_ENDED) void render().catch(() => {})
    },
  }

  async function render(): Promise<string> {
    // Imported here, because a supervisor whose metrics are never read should not pay for prom-client.
    const { countersOf, renderSnapshots, sumCounters } = await import('../telemetry/metrics-of-processes.ts')
    await Promise.all(processes().map(ask))
    const past = await sumCounters(ended.splice(0).map(countersOf))
    ended.push(past)
    // No await before the snapshots are read: a process that ends meanwhile would be counted twice.
    return renderSnapshots([...latest.values()], past)
  }

  async function ask(process: ManagedProcess): Promise<void> {
    const snapshot = (await process.ask(METRICS, ANSWER_LIMIT_MS)) as MetricsSnapshot | undefined
    if (snapshot && processes().includes(process)) latest.set(process, snapshot)
  }
}
