// Badges of task statuses, with the name, the mark and the colour of each status.
import { HexagonIcon, type HexagonSign } from './icons.tsx'

const STYLES = {
  PENDING: { sign: 'clock', tone: 'calm' },
  STARTED: { sign: 'play', tone: 'busy' },
  RETRY: { sign: 'again', tone: 'warn' },
  SUCCESS: { sign: 'check', tone: 'good' },
  FAILURE: { sign: 'cross', tone: 'bad' },
  CANCELLED: { sign: 'bar', tone: 'calm' },
  /** NOT_FOUND is no status of the API. The page shows it if the API has no task with the id. */
  NOT_FOUND: { sign: 'question', tone: 'calm' },
} as const satisfies Record<string, { sign: HexagonSign; tone: string }>

type ShownStatus = keyof typeof STYLES

/** Returns the CSS class that sets the colours of a status for an element and everything inside it. */
export function toneOf(status: ShownStatus): string {
  return `tone-${STYLES[status].tone}`
}

export function StatusMark({ status }: { status: ShownStatus }) {
  return <HexagonIcon sign={STYLES[status].sign} />
}

export function StatusBadge({ status }: { status: ShownStatus }) {
  return (
    <span class={`badge ${toneOf(status)}`} data-status={status}>
      <StatusMark status={status} />
      {status.replace('_', ' ')}
    </span>
  )
}
