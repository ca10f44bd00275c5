// Name, state of the connection, and the key that is in use.
import type { Access } from './access.ts'
import { ForgetKey } from './access-notice.tsx'
import type { Connection } from './connection.ts'
import { Logo } from './icons.tsx'
import { useObservable } from './observable.ts'
import { hashOf } from './route.ts'

export function PageHeader({ connection, access }: { connection: Connection; access: Access }) {
  const state = useObservable(connection.state)
  const isAway = !state.isUp && state.kind === 'unreachable'
  const text = state.isUp ? 'API connected' : isAway ? 'API not reachable' : 'API not ready'
  return (
    <header class="header">
      <a class="brand" href={hashOf({ view: 'home' })}>
        <Logo />
        <span class="brand-name">Waggle</span>
        <span class="brand-claim">Background tasks</span>
      </a>
      <div class="header-state">
        <ForgetKey access={access} />
        <p class={`link-state ${state.isUp ? 'is-up' : 'is-down'}`}>
          <span class="link-dot" aria-hidden="true" />
          {text}
        </p>
      </div>
    </header>
  )
}
