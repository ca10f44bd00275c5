// The filters of the list: the box, statuses and spans to pick from, and a chip for each that is set.
import { useState } from 'hono/jsx/dom'
import type { Worker } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { useEffect } from '../parts/effect.ts'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import { StatusMark, toneOf } from '../parts/status-badge.tsx'
import { currentRoute, goTo } from '../route.ts'
import { FilterBox } from './filter-box.tsx'
import {
  type Filter,
  filtersOf,
  SPANS,
  STATUSES,
  valuesOf,
  withFilter,
  withoutFilter,
  wordsOfFilter,
} from './filters.ts'

/** Makes other filters of those that are chosen. */
type Change = (next: (chosen: URLSearchParams) => URLSearchParams) => void

export function FilterBar({ page, params }: { page: Page; params: URLSearchParams }) {
  const definitions = useObservable(page.definitions) ?? []
  const { queues, workers, look } = useKnownPlaces(page)
  const names = [...new Set([...definitions.map(({ queue }) => queue), ...queues])].sort()
  const filters = filtersOf(params)
  // Whoever is quicker than the next frame changes what is chosen by then, not what is still on show.
  const change: Change = (next) => goTo({ view: 'tasks', params: next(currentRoute().params) })
  const statuses = valuesOf(params, 'status')
  return (
    <div class="filter-bar">
      <FilterBox
        params={params}
        known={{ definitions, queues: names, workers }}
        onBegin={look}
        onAdd={(added) => change((chosen) => added.reduce(withFilter, chosen))}
        onRemoveLast={() =>
          change((chosen) => {
            const last = filtersOf(chosen).at(-1)
            return last ? withoutFilter(chosen, last.key) : chosen
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
                  change((chosen) =>
                    isOn
                      ? withoutFilter(chosen, 'status', status)
                      : withFilter(chosen, { key: 'status', value: status }),
                  )
                }
              >
                <StatusMark status={status} />
                {status}
              </button>
            )
          })}
        </fieldset>
        <SpanPick params={params} change={change} />
      </div>
      {filters.length > 0 && (
        <ul class="chips" aria-label="Filters">
          {filters.map((filter) => (
            <Chip
              key={filter.key}
              filter={filter}
              onRemove={() => change((chosen) => withoutFilter(chosen, filter.key))}
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
  const { name, value } = wordsOfFilter(filter)
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

function SpanPick({ params, change }: { params: URLSearchParams; change: Change }) {
  const since = params.get('since') ?? ''
  return (
    <label class="span-pick">
      <span class="visually-hidden">Submitted</span>
      <select
        value={since}
        onChange={(event: Event) => {
          if (!(event.target instanceof HTMLSelectElement)) return
          const { value } = event.target
          change((chosen) =>
            value === '' ? withoutFilter(chosen, 'since') : withFilter(chosen, { key: 'since', value }),
          )
        }}
      >
        <option value="" selected={since === ''}>
          Any time
        </option>
        {Object.entries(SPANS).map(([value, { label }]) => (
          <option key={value} value={value} selected={since === value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Queues and workers, for suggestions: asked for when somebody begins to type, and kept. */
function useKnownPlaces({ api }: Page) {
  const [isAsked, setIsAsked] = useState(false)
  const [queues, setQueues] = useState<string[]>([])
  const [workers, setWorkers] = useState<Worker[]>([])
  useEffect(() => {
    if (!isAsked) return
    const leaving = new AbortController()
    void api.queues(leaving.signal).then((answer) => {
      if (answer.ok && !leaving.signal.aborted) setQueues(answer.value.data.map(({ name }) => name))
    })
    void api.workers(leaving.signal).then((answer) => {
      if (answer.ok && !leaving.signal.aborted) setWorkers(answer.value.data)
    })
    return () => leaving.abort()
  }, [isAsked])
  return { queues, workers, look: () => setIsAsked(true) }
}
