// View of the keys of limits: which tasks are held, and how many of them wait and run for each key.
import { useEffect, useState } from 'preact/hooks'
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { Comb, Icon } from '../parts/icons.tsx'
import { useSettled } from '../parts/settled.ts'
import { hashOf, type Route, replaceRoute } from '../route.ts'
import { KeyFilters } from './key-filters.tsx'
import { KeyTable } from './key-table.tsx'

// Number of keys that the view shows. Further ones are found with the search.
const LIMIT = 200
// Pause between two requests. It is longer than for other views, because the API counts all held tasks.
const INTERVAL_MS = 10_000

export function KeysView({ page, route }: { page: Page; route: Route }) {
  const { api, access } = page
  const { isKeyRequired } = access.state.value
  const queue = route.params.get('queue') ?? ''
  const name = route.params.get('name') ?? ''
  const search = route.params.get('search') ?? ''
  const [typed, setTyped] = useState(search)
  const keys = useQuery(page, {
    queryKey: `keys ${JSON.stringify([queue, name, search])}`,
    request: (signal) =>
      api.keys(
        { limit: LIMIT, ...(queue && { queue }), ...(name && { name }), ...(search && { search }) },
        signal,
      ),
    intervalMs: INTERVAL_MS,
  })
  const settled = useSettled(typed.trim())
  useEffect(() => {
    if (settled !== search) change({ search: settled })
  }, [settled])
  const rows = keys.value?.data ?? null
  const isFiltered = queue !== '' || name !== '' || search !== ''

  return (
    <section class="panel keys" aria-labelledby="keys-title">
      <div class="part-head">
        <h1 id="keys-title" class="panel-title">
          Keys of limits
        </h1>
        <span class="panel-tools">
          <a class="button is-quiet is-small" href={hashOf({ view: 'workers' })}>
            Queues
          </a>
          <button type="button" class="button is-quiet is-small" onClick={keys.refresh}>
            <Icon name="refresh" />
            Refresh
          </button>
        </span>
      </div>
      <p class="quiet">
        Unfinished tasks that a limit, a priority or an expiry holds, those with most waiting tasks first.
      </p>
      <KeyFilters page={page} queue={queue} name={name} typed={typed} onType={setTyped} onChange={change} />
      {keys.fault?.status === 403 ? (
        <MissingScopeNotice access={access} scope="read" />
      ) : isKeyRequired && !rows ? (
        <Locked access={access} text="Enter a key to see the keys of limits." />
      ) : keys.fault?.kind === 'refused' ? (
        <p class="notice tone-bad" role="alert">
          {keys.fault.detail}
        </p>
      ) : (
        <>
          <p class="keys-note" role="status">
            {rows && noteOf(rows.length)}
          </p>
          {rows?.length === 0 ? (
            <NoKeys isFiltered={isFiltered} onClear={clear} />
          ) : (
            <KeyTable rows={rows} isComplete={rows !== null && rows.length < LIMIT} />
          )}
        </>
      )}
    </section>
  )

  function change(changed: Record<string, string>) {
    const given = { queue, name, search, ...changed }
    const params = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''))
    replaceRoute({ view: 'keys', params })
  }

  function clear() {
    setTyped('')
    replaceRoute({ view: 'keys' })
  }
}

function noteOf(count: number): string {
  if (count >= LIMIT) return `The first ${LIMIT} are listed. Search for others.`
  return count === 0 ? '' : `${count} listed.`
}

function NoKeys({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return (
    <div class="empty">
      <Comb />
      <h2>{isFiltered ? 'No key matches' : 'No held tasks'}</h2>
      <p>
        {isFiltered
          ? 'No unfinished task has such a key.'
          : 'Unfinished tasks of definitions and queues with limits are listed here.'}
      </p>
      {isFiltered && (
        <button type="button" class="button" onClick={onClear}>
          Clear filters
        </button>
      )}
    </div>
  )
}
