// View of all schedules: their times, next ticks and last runs. They can be run, paused and resumed.
import { useState } from 'preact/hooks'
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { Comb } from '../parts/icons.tsx'
import { hashOf, type Route } from '../route.ts'
import { ScheduleTable } from './schedule-table.tsx'

// Schedules per page. The view reads the runs of each of them.
const PAGE_SIZE = 20

export function SchedulesView({ page, route }: { page: Page; route: Route }) {
  const { access } = page
  const { isKeyRequired } = access.state.value
  const cursor = route.params.get('cursor') ?? ''
  const [changes, setChanges] = useState(0)
  const schedules = useQuery(page, {
    queryKey: `schedules ${cursor}`,
    request: (signal) => page.api.schedules(PAGE_SIZE, cursor, signal),
  })
  const rows = schedules.isOutdated ? null : (schedules.value?.data ?? null)
  const next = schedules.isOutdated ? null : (schedules.value?.next_cursor ?? null)
  return (
    <section class="panel part" aria-labelledby="schedules-title">
      <div class="part-head">
        <h1 id="schedules-title" class="panel-title">
          Schedules
        </h1>
        <a class="button is-small" href={hashOf({ view: 'schedule' })}>
          New schedule
        </a>
      </div>
      <MissingScopeNotice access={access} scope="operate" />
      {schedules.fault?.status === 403 ? (
        <MissingScopeNotice access={access} scope="read" />
      ) : isKeyRequired && !rows ? (
        <Locked access={access} text="Enter a key to see the schedules." />
      ) : schedules.fault?.kind === 'refused' ? (
        <p class="notice tone-bad" role="alert">
          {schedules.fault.detail}
        </p>
      ) : rows?.length === 0 ? (
        <NoSchedules isFirstPage={cursor === ''} />
      ) : (
        <ScheduleTable page={page} rows={rows} changes={changes} onChanged={changed} />
      )}
      {(cursor !== '' || next !== null) && (
        <nav class="pager" aria-label="Pages">
          {cursor !== '' && (
            <a class="button is-small" href={hashOf({ view: 'schedules' })}>
              First page
            </a>
          )}
          {next !== null && (
            <a class="button is-small" href={hashOf({ view: 'schedules', params: { cursor: next } })}>
              Next page
            </a>
          )}
        </nav>
      )}
    </section>
  )

  function changed() {
    setChanges((count) => count + 1)
    schedules.refresh()
  }
}

function NoSchedules({ isFirstPage }: { isFirstPage: boolean }) {
  return (
    <div class="empty">
      <Comb />
      <h2>{isFirstPage ? 'No schedules yet' : 'No further schedules'}</h2>
      <p>
        {isFirstPage
          ? 'A schedule makes tasks at the times of a cron expression, or every so many seconds.'
          : 'This is the end of the list.'}
      </p>
    </div>
  )
}
