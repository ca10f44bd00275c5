// A status in its own word, with a mark and a colour of its own.

import type { RememberedTask } from '../run/remembered-tasks.ts'
import { HexagonIcon } from './icons.tsx'

type ShownStatus = RememberedTask['status']

const LOOKS = {
  PENDING: { sign: 'clock', tone: 'calm' },
  STARTED: { sign: 'play', tone: 'busy' },
  RETRY: { sign: 'again', tone: 'warn' },
  SUCCESS: { sign: 'check', tone: 'good' },
  FAILURE: { sign: 'cross', tone: 'bad' },
  CANCELLED: { sign: 'bar', tone: 'calm' },
  GONE: { sign: 'question', tone: 'calm' },
} as const satisfies Record<ShownStatus, { sign: string; tone: string }>

/** Class that sets the colours of a status for everything inside. */
export function toneOf(status: ShownStatus): string {
  return `tone-${LOOKS[status].tone}`
}

export function StatusMark({ status }: { status: ShownStatus }) {
  return <HexagonIcon sign={LOOKS[status].sign} />
}

export function StatusBadge({ status }: { status: ShownStatus }) {
  return (
    <span class={`badge ${toneOf(status)}`} data-status={status}>
      <StatusMark status={status} />
      {status}
    </span>
  )
}
