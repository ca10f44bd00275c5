// Choice of the time window of the overview. It is part of the URL, so that links and the Back button restore
// it.
import { hashOf, type Route } from '../route.ts'

export const WINDOWS = [
  { seconds: 300, text: '5 min', words: 'last 5 minutes' },
  { seconds: 3_600, text: '1 h', words: 'last hour' },
  { seconds: 86_400, text: '24 h', words: 'last 24 hours' },
] as const

export type Window = (typeof WINDOWS)[number]

export function windowOf(route: Route): Window {
  return WINDOWS.find(({ seconds }) => String(seconds) === route.params.get('window')) ?? WINDOWS[0]
}

export function WindowChoice({ chosen }: { chosen: Window }) {
  return (
    <nav class="window-choice" aria-label="Time range">
      {WINDOWS.map(({ seconds, text, words }) => (
        <a
          key={seconds}
          class="window-link"
          href={hashOf({ view: 'overview', params: { window: String(seconds) } })}
          aria-current={seconds === chosen.seconds ? 'true' : undefined}
          aria-label={`${text}, the ${words}`}
        >
          {text}
        </a>
      ))}
    </nav>
  )
}
