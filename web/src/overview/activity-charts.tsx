// The two charts of the overview: how many tasks ended, and how long attempts waited and ran.
import type { Stats } from '../api/api-client.ts'
import { formatDecimal } from '../parts/numbers.ts'
import { LineChart } from './line-chart.tsx'
import { drawnSteps, formatTime } from './times.ts'

export function ActivityCharts({ stats }: { stats: Stats }) {
  const { series } = stats
  const count = drawnSteps(stats)
  const startsAtMs = series.starts_at.slice(0, count).map(Date.parse)
  const ended = [series.succeeded, series.failed].map((counts) =>
    counts.slice(0, count).map((each) => each / series.step_seconds),
  )
  const isSlow = Math.max(0, ...ended.flat()) < 1
  const [succeeded = [], failed = []] = isSlow
    ? ended.map((rates) => rates.map((perSecond) => perSecond * 60))
    : ended
  const steps = { startsAtMs, stepSeconds: series.step_seconds }
  return (
    <div class="charts">
      <LineChart
        id="ended-chart"
        title="Tasks that ended"
        unit={isSlow ? 'per minute' : 'per second'}
        {...steps}
        lines={[
          { name: 'Succeeded', color: '--series-1', isDashed: false, isFilled: true, values: succeeded },
          { name: 'Failed', color: '--series-2', isDashed: true, isFilled: false, values: failed },
        ]}
        formatValue={formatDecimal}
        formatAxis={formatDecimal}
      />
      <LineChart
        id="times-chart"
        title="Run and wait time"
        unit="95th percentile"
        {...steps}
        lines={[
          {
            name: 'Run',
            color: '--series-1',
            isDashed: false,
            isFilled: false,
            values: series.run_p95_ms.slice(0, count),
          },
          {
            name: 'Wait',
            color: '--series-2',
            isDashed: true,
            isFilled: false,
            values: series.wait_p95_ms.slice(0, count),
          },
        ]}
        formatValue={formatTime}
        formatAxis={(ms) => (ms === 0 ? '0' : formatTime(ms))}
      />
    </div>
  )
}
