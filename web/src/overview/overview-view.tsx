// The overview: alerts, numbers of tasks per status, key figures, charts, and a table by definition.
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import type { Stats } from '../api/api-client.ts'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { Comb } from '../parts/icons.tsx'
import { Skeleton } from '../parts/skeleton.tsx'
import { hashOf, type Route } from '../route.ts'
import { ActivityCharts } from './activity-charts.tsx'
import { DefinitionsTable } from './definitions-table.tsx'
import { KeyFigures } from './key-figures.tsx'
import { QueueAlerts } from './queue-alerts.tsx'
import { StatusTiles } from './status-tiles.tsx'
import { WINDOWS, type Window, WindowChoice, windowOf } from './window-choice.tsx'

export function OverviewView({ page, route }: { page: Page; route: Route }) {
  const window = windowOf(route)
  const stats = useQuery(page, {
    queryKey: `statistics ${window.seconds}`,
    request: (signal) => page.api.stats(window.seconds, signal),
  })
  const queues = useQuery(page, { queryKey: 'queues', request: page.api.queues })
  const workers = useQuery(page, { queryKey: 'workers', request: page.api.workers })
  const { value } = stats
  return (
    <div class="overview">
      <div class="overview-head">
        <h1 class="overview-title">Overview</h1>
        <p class="overview-at">{value && `as of ${formatTimestamp(value.at)}`}</p>
        <WindowChoice chosen={window} />
        <a class="button is-primary overview-run" href={hashOf({ view: 'run' })}>
          Run a task
        </a>
      </div>
      <QueueAlerts queues={queues.value?.data ?? []} />
      {value === null ? (
        <NoStatistics
          page={page}
          isRefused={stats.fault?.kind === 'refused'}
          detail={stats.fault?.detail ?? ''}
        />
      ) : (
        <div
          class={`overview-body ${stats.isOutdated ? 'is-outdated' : ''}`}
          aria-busy={stats.isOutdated ? 'true' : 'false'}
        >
          <StatusTiles stats={value} when={window.words} />
          <KeyFigures stats={value} workers={workers.value?.data ?? null} />
          <Activity page={page} stats={value} window={window} />
        </div>
      )}
    </div>
  )
}

function Activity({ page, stats, window }: { page: Page; stats: Stats; window: Window }) {
  const definitions = page.definitions.value ?? []
  if (stats.definitions.length === 0) return <NothingHappened window={window} />
  return (
    <>
      <ActivityCharts stats={stats} />
      <DefinitionsTable stats={stats} definitions={definitions} when={window.words} />
    </>
  )
}

function NothingHappened({ window }: { window: Window }) {
  const longest = WINDOWS.at(-1)
  return (
    <section class="panel" aria-label="Activity">
      <div class="empty">
        <Comb />
        <h2>Nothing has run in the {window.words}</h2>
        <p>Run a task. Its count, outcome and duration appear here within seconds.</p>
        <a class="button is-primary" href={hashOf({ view: 'run' })}>
          Run a task
        </a>
        {longest && longest.seconds !== window.seconds && (
          <a href={hashOf({ view: 'overview', params: { window: String(longest.seconds) } })}>
            Show the {longest.words}
          </a>
        )}
      </div>
    </section>
  )
}

/** Placeholder while the statistics load, or the reason why they cannot be loaded. */
function NoStatistics({ page, isRefused, detail }: { page: Page; isRefused: boolean; detail: string }) {
  const { isUp } = page.connection.state.value
  const { isKeyRequired, missingScopes } = page.access.state.value
  if (isKeyRequired)
    return (
      <section class="panel" aria-label="Overview">
        <Locked access={page.access} text="Enter a key to see the statistics." />
      </section>
    )
  if (isRefused)
    return (
      <section class="panel" aria-label="Overview">
        {missingScopes.includes('read') ? (
          <MissingScopeNotice access={page.access} scope="read" />
        ) : (
          <p class="notice tone-bad" role="alert">
            The statistics cannot be loaded: {detail}
          </p>
        )}
      </section>
    )
  return (
    <div
      class="overview-body"
      role="status"
      aria-label={isUp ? 'Loading the statistics' : 'Waiting for the API'}
    >
      <div class="tile-groups">
        {[1, 2].map((group) => (
          <Skeleton key={group} lines={['short', 'tall']} />
        ))}
      </div>
      <div class="charts">
        {[1, 2].map((chart) => (
          <Skeleton key={chart} lines={['short', 'chart']} isPanel />
        ))}
      </div>
    </div>
  )
}
