// Banner that says why the API cannot be used, and when the page checks it again.
import { Icon } from '../parts/icons.tsx'
import { useNow } from '../parts/now.ts'
import type { Connection } from './connection.ts'

export function ConnectionBanner({ connection }: { connection: Connection }) {
  const state = connection.state.value
  const nowMs = useNow(!state.isUp)
  return (
    // The banner's element is always rendered, because screen readers announce only changes inside an
    // existing status element. The countdown is hidden from them, because it changes every second.
    <div class={state.isUp ? 'visually-hidden' : 'banner tone-bad'} role="status">
      {!state.isUp && (
        <>
          <Icon name="unplugged" />
          <p class="banner-text">
            <strong>{headline(state)}</strong>{' '}
            <span aria-hidden="true">{countdown(state.retryAtMs - nowMs)}</span>
          </p>
          <button type="button" class="button is-small" onClick={connection.tryNow}>
            Try now
          </button>
        </>
      )}
    </div>
  )
}

function headline({ kind, detail }: { kind: string; detail: string }): string {
  return kind === 'unreachable' ? 'The API cannot be reached.' : `The API is not ready: ${ended(detail)}`
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}

function countdown(leftMs: number): string {
  return leftMs > 0 ? `Trying again in ${Math.ceil(leftMs / 1_000)} s.` : 'Trying again now.'
}
