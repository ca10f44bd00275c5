// The next five ticks of a schedule, also of one that is being edited.
import { useEffect } from 'preact/hooks'
import type { ScheduleRequest } from '../api/api-client.ts'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { useNow } from '../parts/now.ts'
import { useSettled } from '../parts/settled.ts'
import { Skeleton } from '../parts/skeleton.tsx'
import { TickTime } from './schedule-parts.tsx'
import { untilText } from './schedule-words.ts'

const COUNT = 5
// Pause between two requests. The ticks are read earlier if one of them has passed.
const INTERVAL_MS = 300_000
// How long a tick that has passed is shown. It limits the requests for a schedule that has a tick every
// second.
const PASSED_MS = 3_000

export interface TickPreviewProps {
  page: Page
  /** Name of a stored schedule, or one that is not stored. */
  schedule: string | ScheduleRequest
  /** Time zone of the schedule; null without a cron expression. */
  zone: string | null
}

export function TickPreview({ page, schedule, zone }: TickPreviewProps) {
  // The request is compared and delayed as a text, because it is a new object in each rendering.
  const settled = useSettled(JSON.stringify(schedule))
  const ticks = useQuery(page, {
    queryKey: settled,
    request: (signal) => page.api.scheduleTicks(JSON.parse(settled), COUNT, signal),
    intervalMs: INTERVAL_MS,
  })
  useNow(true)
  const nowMs = page.nowMs()
  const hasPassed = Date.parse(ticks.value?.data[0]?.tick_at ?? '') < nowMs - PASSED_MS
  useEffect(() => {
    if (hasPassed) ticks.refresh()
  }, [hasPassed])
  const { fault } = ticks
  return (
    <div class="ticks" aria-busy={ticks.isOutdated ? 'true' : 'false'}>
      {fault?.kind === 'refused' ? (
        <p class="quiet" role="status">
          {[fault.detail, ...fault.errors.map(({ pointer, detail }) => `${nameOf(pointer)} ${detail}`)].join(
            '. ',
          )}
        </p>
      ) : ticks.value === null ? (
        <Skeleton lines={['normal', 'short']} />
      ) : (
        <ol class="tick-list" aria-label="Next ticks">
          {ticks.value.data.map(({ tick_at: at }) => (
            <li key={at} class="tick">
              <TickTime at={at} zone={zone} />
              <span class="tick-until">{untilText(at, nowMs)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

/** Returns the member that a JSON pointer names, e.g. "cron" for "#/cron". */
function nameOf(pointer: string): string {
  return pointer.replace(/^#\/?/, '').replaceAll('_', ' ')
}
