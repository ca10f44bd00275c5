// One line of the log of an attempt.
import { formatClock } from '../parts/durations.ts'
import { stringifyJson } from '../parts/exact-json.ts'

export interface LogLineItemProps {
  at: string
  message: string
  fields?: Record<string, unknown> | null
}

export function LogLineItem({ at, message, fields }: LogLineItemProps) {
  return (
    <li class="log-line">
      <time class="log-time" datetime={at} title={at}>
        {formatClock(at)}
      </time>
      <span class="log-message">
        {message}
        {fields && <span class="log-fields"> {stringifyJson(fields)}</span>}
      </span>
    </li>
  )
}
