// Parts that the list of schedules and the page of one schedule share: state, times, next tick and actions.
import { ActionButton } from '../api/action-button.tsx'
import type { Schedule } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { useNow } from '../parts/now.ts'
import { StateBadge } from '../parts/state-badge.tsx'
import { everyText, nextText, tickTexts } from './schedule-words.ts'

export function ScheduleState({ schedule }: { schedule: Schedule }) {
  if (schedule.problem !== null) return <StateBadge tone="bad" sign="cross" text="Problem" />
  if (schedule.is_paused) return <StateBadge tone="warn" sign="bar" text="Paused" />
  return <StateBadge tone="good" sign="check" text="Active" />
}

/** The cron expression with its time zone, or the interval in words. */
export function Times({ schedule: { cron, time_zone, every_seconds } }: { schedule: Schedule }) {
  if (cron === null) return <>{everyText(every_seconds ?? 1)}</>
  return (
    <>
      <code>{cron}</code> <span class="table-more">{time_zone}</span>
    </>
  )
}

/** The next tick in words, in the time zone of the schedule, and in one's own. */
export function NextTick({ schedule, page }: { schedule: Schedule; page: Page }) {
  useNow(schedule.next_at !== null)
  const { next_at: nextAt, time_zone: zone, waiting_at: waitingAt } = schedule
  return (
    <>
      {nextText(schedule, page.nowMs())}
      {nextAt !== null && <TickTime at={nextAt} zone={zone} />}
      {waitingAt !== null && <span class="table-more">A tick waits for the end of the last task.</span>}
    </>
  )
}

export function TickTime({ at, zone }: { at: string; zone: string | null }) {
  const { local, own } = tickTexts(at, zone)
  return (
    <time datetime={at}>
      <span class="table-more">{local}</span>
      {own !== null && <span class="table-more">{own}</span>}
    </time>
  )
}

export interface ScheduleActionsProps {
  page: Page
  schedule: Schedule
  /** Called after the API has accepted a change or a run. */
  onDone: () => void
}

/** Buttons that make a task now, and pause or resume the schedule. */
export function ScheduleActions({ page, schedule, onDone }: ScheduleActionsProps) {
  const { api, access } = page
  const { name, is_paused: isPaused } = schedule
  return (
    <span class="action">
      <ActionButton
        access={access}
        text="Run now"
        label={`Run now: schedule ${name}`}
        perform={() => api.runSchedule(name)}
        onDone={onDone}
      />
      <ActionButton
        key={isPaused ? 'resume' : 'pause'}
        access={access}
        text={isPaused ? 'Resume' : 'Pause'}
        label={`${isPaused ? 'Resume' : 'Pause'} the schedule ${name}`}
        perform={() => (isPaused ? api.resumeSchedule(name) : api.pauseSchedule(name))}
        onDone={onDone}
      />
    </span>
  )
}
