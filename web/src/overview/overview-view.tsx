// Overview: whether all is well, what it is if not, and where to look.
import { LackingNotice, Locked } from '../api/access-notice.tsx'
import type { Stats } from '../api/api-client.ts'
import { useAnswer } from '../api/live-answer.ts'
import type { Page } from '../page.ts'
import { formatMoment } from '../parts/durations.ts'
import { Comb } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import { hashOf, type Route } from '../route.ts'
import { ActivityCharts } from './activity-charts.tsx'
import { DefinitionsTable } from './definitions-table.tsx'
import { KeyFigures } from './key-figures.tsx'
import { QueueAlerts } from './queue-alerts.tsx'
import { StatusTiles } from './status-tiles.tsx'
import { WINDOWS, type Window, WindowChoice, windowOf } from './window-choice.tsx'

export function OverviewView({ page, route }: { page: Page; route: Route }) {
  const window = windowOf(route)
  const stats = useAnswer(page, {
    question: `statistics ${window.seconds}`,
    ask: (signal) => page.api.stats(window.seconds, signal),
  })
  const queues = useAnswer(page, { question: 'queues', ask: page.api.queues })
  const workers = useAnswer(page, { question: 'workers', ask: page.api.workers })
  const { value } = stats
  return (
    <div class="overview">
      <div class="overview-head">
        <h1 class="overview-title">Overview</h1>
        <p class="overview-at">{value && `as of ${formatMoment(value.at)}`}</p>
        <WindowChoice chosen={window} />
        <a class="button is-primary overview-run" href={hashOf({ view: 'run' })}>
          Run a task
        </a>
      </div>
      <QueueAlerts queues={queues.value?.data ?? []} />
      {value === null ? (
        <Missing page={page} isRefused={stats.fault?.kind === 'refused'} detail={stats.fault?.detail ?? ''} />
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
  const definitions = useObservable(page.definitions) ?? []
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
        <p>
          Run a task, and here you see within seconds how many there are, how they end and how long they take.
        </p>
        <a class="button is-primary" href={hashOf({ view: 'run' })}>
          Run a task
        </a>
        {longest && longest.seconds !== window.seconds && (
          <a href={hashOf({ view: 'overview', params: { window: String(longest.seconds) } })}>
            Look at the {longest.words}
          </a>
        )}
      </div>
    </section>
  )
}

/** In the place of statistics that are not there: not yet, or not for this key. */
function Missing({ page, isRefused, detail }: { page: Page; isRefused: boolean; detail: string }) {
  const { isUp } = useObservable(page.connection.state)
  const { isShutOut, lacking } = useObservable(page.access.state)
  if (isShutOut)
    return (
      <section class="panel" aria-label="Overview">
        <Locked access={page.access} what="With a key you see here how the system does." />
      </section>
    )
  if (isRefused)
    return (
      <section class="panel" aria-label="Overview">
        {lacking.includes('read') ? (
          <LackingNotice access={page.access} scope="read" />
        ) : (
          <p class="notice tone-bad" role="alert">
            The statistics cannot be shown: {detail}
          </p>
        )}
      </section>
    )
  return (
    <div
      class="overview-body"
      role="status"
      aria-label={isUp ? 'Asking the API how the system does' : 'Waiting for the API'}
    >
      <div class="tile-groups">
        {[1, 2].map((group) => (
          <div key={group} class="skeleton">
            <span class="skeleton-line is-short" />
            <span class="skeleton-line is-tall" />
          </div>
        ))}
      </div>
      <div class="charts">
        {[1, 2].map((chart) => (
          <div key={chart} class="panel skeleton">
            <span class="skeleton-line is-short" />
            <span class="skeleton-line is-chart" />
          </div>
        ))}
      </div>
    </div>
  )
}
