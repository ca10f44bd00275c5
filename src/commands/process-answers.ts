// How API and worker processes answer their supervisor.
import type { HealthChecks } from '../api/health-checks.ts'
import type { Answers } from '../processes/link.ts'
import { LIVE, READINESS } from '../processes/process-health.ts'
import { METRICS } from '../processes/process-metrics.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export function answersOf(health: HealthChecks, metrics: Metrics): Answers {
  return {
    [LIVE]: async () => (await health.livenessFault()) ?? '',
    [READINESS]: health.readiness,
    [METRICS]: metrics.snapshot,
  }
}
