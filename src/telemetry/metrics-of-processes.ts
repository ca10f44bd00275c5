// Combines the metrics of several processes, which each have their own registry.
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client'

/** The metrics of one process at one time. They can be sent to another process. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[]

export function readSnapshot(registry: Registry): Promise<MetricsSnapshot> {
  return registry.getMetricsAsJSON()
}

/** Keeps the metrics that must not decrease when their process ends. */
export function countersOf(snapshot: MetricsSnapshot): MetricsSnapshot {
  // prom-client types `type` as an enum of numbers, but its values are these texts.
  return snapshot.filter(({ type }) => ['counter', 'histogram'].includes(String(type)))
}

/** Sums the counters of several processes. */
export function sumCounters(snapshots: MetricsSnapshot[]): Promise<MetricsSnapshot> {
  return AggregatorRegistry.aggregate(snapshots).getMetricsAsJSON()
}

/**
 * Returns the text format of Prometheus for all processes together. Each metric says how it is combined:
 * counters, histograms and slots are summed, and gauges of the whole system keep their maximum.
 * @param live snapshots of the processes that run
 * @param ended sums of the counters of processes that have ended
 */
export function renderSnapshots(live: MetricsSnapshot[], ended: MetricsSnapshot): Promise<string> {
  // prom-client omits metrics that have no meaning for several processes, e.g. their start time.
  const shown = live.length === 1 ? live.map(withoutOmissions) : live
  return AggregatorRegistry.aggregate([...shown, ended]).metrics()
}

function withoutOmissions(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.map((metric) =>
    metric.aggregator === 'omit' ? { ...metric, aggregator: 'first' as const } : metric,
  )
}
