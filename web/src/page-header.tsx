// Header of the page: links to the views, the state of the connection to the API, and a button that removes
// the API key from this tab.
import type { Access } from './api/access.ts'
import { ForgetKeyButton } from './api/access-notice.tsx'
import type { Connection } from './api/connection.ts'
import { Logo } from './parts/icons.tsx'
import { hashOf, type View } from './route.ts'

const LINKS = [
  { view: 'overview', text: 'Overview' },
  { view: 'tasks', text: 'Tasks' },
  { view: 'run', text: 'Run a task' },
  { view: 'schedules', text: 'Schedules' },
  { view: 'workers', text: 'Workers' },
] as const

/** The link that is marked as the current one in views that have no link of their own. */
const PARENTS: Partial<Record<View, View>> = { task: 'tasks', schedule: 'schedules', keys: 'workers' }

export interface PageHeaderProps {
  connection: Connection
  access: Access
  view: View
}

export function PageHeader({ connection, access, view }: PageHeaderProps) {
  const state = connection.state.value
  const isUnreachable = !state.isUp && state.kind === 'unreachable'
  const text = state.isUp ? 'API connected' : isUnreachable ? 'API not reachable' : 'API not ready'
  const current = PARENTS[view] ?? view
  return (
    <header class="header">
      <a class="brand" href={hashOf({ view: 'overview' })}>
        <Logo />
        <span class="brand-name">Waggle</span>
      </a>
      <nav class="nav" aria-label="Views">
        {LINKS.map((link) => (
          <a
            key={link.view}
            class="nav-link"
            href={hashOf({ view: link.view })}
            aria-current={link.view === current ? 'page' : undefined}
          >
            {link.text}
          </a>
        ))}
      </nav>
      <div class="header-state">
        <ForgetKeyButton access={access} />
        <p class={`link-state ${state.isUp ? 'is-up' : 'is-down'}`}>
          <span class="link-dot" aria-hidden="true" />
          {text}
        </p>
      </div>
    </header>
  )
}
