// Page of one schedule: its state and actions, its next ticks and last runs, and the form in which it is
// edited. Also the page with the form for a new schedule.
import type { ComponentChildren } from 'preact'
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import type { ScheduleWithRuns } from '../api/api-client.ts'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import { JsonTree } from '../parts/json-tree.tsx'
import { Skeleton } from '../parts/skeleton.tsx'
import { goTo, hashOf, type Route } from '../route.ts'
import { DeleteButton } from './delete-button.tsx'
import { RunTable } from './run-table.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { NextTick, ScheduleActions, ScheduleState, Times } from './schedule-parts.tsx'
import { TickPreview } from './tick-preview.tsx'

export function ScheduleView({ page, route }: { page: Page; route: Route }) {
  return route.id === null ? <NewSchedule page={page} /> : <KnownSchedule page={page} name={route.id} />
}

function NewSchedule({ page }: { page: Page }) {
  return (
    <section class="panel part" aria-labelledby="schedule-title">
      <h1 id="schedule-title" class="panel-title">
        New schedule
      </h1>
      <ScheduleForm page={page} schedule={null} onSaved={(name) => goTo({ view: 'schedule', id: name })} />
    </section>
  )
}

function KnownSchedule({ page, name }: { page: Page; name: string }) {
  const { isKeyRequired } = page.access.state.value
  const { value, fault, refresh } = useQuery(page, {
    queryKey: `schedule ${name}`,
    request: (signal) => page.api.schedule(name, signal),
  })
  if (value && fault?.status !== 404) return <SchedulePage page={page} schedule={value} onChanged={refresh} />
  return (
    <section class="panel" aria-labelledby="schedule-title">
      <h1 id="schedule-title" class="visually-hidden">
        {`Schedule ${name}`}
      </h1>
      {fault?.status === 403 ? (
        <MissingScopeNotice access={page.access} scope="read" />
      ) : fault?.kind === 'refused' ? (
        <div class="empty tone-warn" role="alert">
          <h2>{fault.status === 404 ? 'There is no such schedule' : fault.detail}</h2>
          <a class="button" href={hashOf({ view: 'schedules' })}>
            To the list
          </a>
        </div>
      ) : isKeyRequired ? (
        <Locked access={page.access} text="Enter a key to see the schedule." />
      ) : (
        <Skeleton label="Loading the schedule" lines={['normal', 'short', 'row', 'row']} />
      )}
    </section>
  )
}

interface SchedulePageProps {
  page: Page
  schedule: ScheduleWithRuns
  onChanged: () => void
}

function SchedulePage({ page, schedule, onChanged }: SchedulePageProps) {
  const { name, definition, source, problem, runs, time_zone: zone } = schedule
  const isOfCode = source === 'code'
  return (
    <article class="task-page" aria-labelledby="schedule-title">
      <section class="panel card">
        <header class="card-head">
          <div>
            <h1 id="schedule-title" class="card-title">
              {name}
            </h1>
            <p class="card-summary">
              Makes tasks <a href={hashOf({ view: 'tasks', params: { name: definition } })}>{definition}</a>
              {isOfCode ? ' · part of the code' : ''}
            </p>
          </div>
          <ScheduleState schedule={schedule} />
        </header>
        {problem !== null && (
          <p class="notice tone-bad" role="alert">
            <Icon name="warning" />
            <span>{`It makes no tasks: ${problem}`}</span>
          </p>
        )}
        <dl class="facts">
          <Fact term="Times">
            <Times schedule={schedule} />
          </Fact>
          <Fact term="Next run">
            <NextTick schedule={schedule} page={page} />
          </Fact>
          <Fact term="Ticks without a task">{schedule.skipped.toLocaleString()}</Fact>
        </dl>
        <div class="schedule-actions">
          <ScheduleActions page={page} schedule={schedule} onDone={onChanged} />
          {!isOfCode && <DeleteButton page={page} name={name} />}
        </div>
        <MissingScopeNotice access={page.access} scope="operate" />
      </section>
      <div class="task-columns">
        <div class="task-column">
          <section class="panel part" aria-labelledby="edit-title">
            <h2 id="edit-title" class="panel-title">
              {isOfCode ? 'Settings' : 'Edit'}
            </h2>
            {isOfCode ? (
              <Settings schedule={schedule} />
            ) : (
              <ScheduleForm key={name} page={page} schedule={schedule} onSaved={onChanged} />
            )}
          </section>
        </div>
        <div class="task-column">
          {isOfCode && (
            <section class="panel part" aria-labelledby="ticks-title">
              <h2 id="ticks-title" class="panel-title">
                Next ticks
              </h2>
              <TickPreview page={page} schedule={name} zone={zone} />
            </section>
          )}
          <section class="panel part" aria-labelledby="runs-title">
            <h2 id="runs-title" class="panel-title">
              Last runs
            </h2>
            <RunTable runs={runs} zone={zone} />
          </section>
        </div>
      </div>
    </article>
  )
}

function Fact({ term, children }: { term: string; children?: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** The settings of a schedule of the code, which the page cannot change. */
function Settings({ schedule }: { schedule: ScheduleWithRuns }) {
  const { overlap, catch_up, jitter_seconds, input } = schedule
  const members = [
    ['While the last task has not ended', OVERLAP_TEXTS[overlap]],
    ['After missed ticks', CATCH_UP_TEXTS[catch_up]],
    ['Jitter', jitter_seconds === 0 ? 'none' : `up to ${jitter_seconds.toLocaleString()}\u00a0s`],
  ]
  return (
    <>
      <p class="quiet">This schedule is part of the code. Change it there; here it can be paused and run.</p>
      <dl class="members">
        {members.map(([term, text]) => (
          <div key={term} class="member">
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h3 class="card-subtitle">Input</h3>
      <JsonTree label="Input" value={input} />
    </>
  )
}

const OVERLAP_TEXTS = {
  skip: 'a tick makes no task',
  allow: 'a tick makes a task',
  wait: 'a tick waits for its end',
} as const satisfies Record<ScheduleWithRuns['overlap'], string>

const CATCH_UP_TEXTS = {
  skip: 'no task',
  one: 'one task for all of them',
  all: 'a task for each of the last 100',
} as const satisfies Record<ScheduleWithRuns['catch_up'], string>
