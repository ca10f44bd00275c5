// Filters of the task list: text box, status buttons, time range, and a removable chip for each set filter.
import { useEffect, useState } from 'preact/hooks'
import { STATUSES, type Worker } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { currentRoute, goTo } from '../route.ts'
import { FilterBox } from './filter-box.tsx'
import {
  type Filter,
  filtersOf,
  filterText,
  TIME_RANGES,
  valuesOf,
  withFilter,
  withoutFilter,
} from './filters.ts'

/** Changes the filters in the URL. `next` receives the current URL parameters and returns the new ones. */
type Change = (next: (current: URLSearchParams) => URLSearchParams) => void

export function FilterBar({ page, params }: { page: Page; params: URLSearchParams }) {
  const definitions = page.definitions.value ?? []
  const { queues, workers, load } = useQueuesAndWorkers(page)
  const names = [...new Set([...definitions.map(({ queue }) => queue), ...queues])].sort()
  const filters = filtersOf(params)
  // Changes the filters of the current URL, because `params` is outdated between a change and the next
  // rendering: a second click in this time must keep the change of the first.
  const change: Change = (next) => goTo({ view: 'tasks', params: next(currentRoute().params) })
  const statuses = valuesOf(params, 'status')
  return (
    <div class="filter-bar">
      <FilterBox
        params={params}
        known={{ definitions, queues: names, workers }}
        onFocus={load}
        onAdd={(added) => change((current) => added.reduce(withFilter, current))}
        onRemoveLast={() =>
          change((current) => {
            const last = filtersOf(current).at(-1)
            return last ? withoutFilter(current, last.key) : current
          })
        }
      />
      <div class="filter-picks">
        <fieldset class="status-picks">
          <legend class="visually-hidden">Status</legend>
          {STATUSES.map((status) => {
            const isOn = statuses.includes(status)
            return (
              <button
                key={status}
                type="button"
                class={`status-pick ${toneOf(status)}`}
                aria-pressed={isOn ? 'true' : 'false'}
                onClick={() =>
                  change((current) =>
                    isOn
                      ? withoutFilter(current, 'status', status)
                      : withFilter(current, { key: 'status', value: status }),
                  )
                }
              >
                <StatusMark status={status} />
                {status}
              </button>
            )
          })}
        </fieldset>
        <TimeRangePick params={params} change={change} />
      </div>
      {filters.length > 0 && (
        <ul class="chips" aria-label="Filters">
          {filters.map((filter) => (
            <Chip
              key={filter.key}
              filter={filter}
              onRemove={() => change((current) => withoutFilter(current, filter.key))}
            />
          ))}
          <li>
            <button
              type="button"
              class="button is-quiet is-small"
              onClick={() => change(() => new URLSearchParams())}
            >
              Clear filters
            </button>
          </li>
        </ul>
      )}
    </div>
  )
}

function Chip({ filter, onRemove }: { filter: Filter; onRemove: () => void }) {
  const { name, value } = filterText(filter)
  return (
    <li class="chip">
      <span class="chip-text">
        <span class="chip-name">{name}</span> {value}
      </span>
      <button
        type="button"
        class="chip-remove"
        aria-label={`Remove the filter ${name} ${value}`}
        onClick={onRemove}
      >
        <Icon name="remove" />
      </button>
    </li>
  )
}

function TimeRangePick({ params, change }: { params: URLSearchParams; change: Change }) {
  const since = params.get('since') ?? ''
  return (
    <label class="span-pick">
      <span class="visually-hidden">Submitted</span>
      <select
        value={since}
        onChange={(event: Event) => {
          if (!(event.target instanceof HTMLSelectElement)) return
          const { value } = event.target
          change((current) =>
            value === '' ? withoutFilter(current, 'since') : withFilter(current, { key: 'since', value }),
          )
        }}
      >
        <option value="" selected={since === ''}>
          Any time
        </option>
        {Object.entries(TIME_RANGES).map(([value, { label }]) => (
          <option key={value} value={value} selected={since === value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Returns queues and workers for suggestions, empty at first. The first call of `load` requests them. */
function useQueuesAndWorkers({ api }: Page) {
  const [isWanted, setIsWanted] = useState(false)
  const [queues, setQueues] = useState<string[]>([])
  const [workers, setWorkers] = useState<Worker[]>([])
  useEffect(() => {
    if (!isWanted) return
    const leaving = new AbortController()
    void api.queues(leaving.signal).then((response) => {
      if (response.ok && !leaving.signal.aborted) setQueues(response.value.data.map(({ name }) => name))
    })
    void api.workers(leaving.signal).then((response) => {
      if (response.ok && !leaving.signal.aborted) setWorkers(response.value.data)
    })
    return () => leaving.abort()
  }, [isWanted])
  return { queues, workers, load: () => setIsWanted(true) }
}
