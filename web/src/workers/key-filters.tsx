// Filters of the keys of limits: a search field, a queue and a definition.
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'

export interface KeyFiltersProps {
  page: Page
  /** Name of a queue; empty for all queues. */
  queue: string
  /** Name of a definition; empty for all definitions. */
  name: string
  /** Text of the search field. */
  typed: string
  onType: (text: string) => void
  onChange: (changed: Record<string, string>) => void
}

export function KeyFilters({ page, queue, name, typed, onType, onChange }: KeyFiltersProps) {
  const definitions = page.definitions.value ?? []
  const queues = useQuery(page, { queryKey: 'queues', request: page.api.queues, intervalMs: 60_000 })
  return (
    <div class="key-filters">
      <div class="field">
        <label class="field-label" for="key-search">
          Key contains
        </label>
        <input
          id="key-search"
          type="search"
          autocomplete="off"
          maxlength={200}
          value={typed}
          onInput={(event: Event) => {
            if (event.target instanceof HTMLInputElement) onType(event.target.value)
          }}
        />
      </div>
      <Choice
        id="key-queue"
        label="Queue"
        all="All queues"
        chosen={queue}
        names={queues.value?.data.map((row) => row.name) ?? []}
        onChoose={(chosen) => onChange({ queue: chosen })}
      />
      <Choice
        id="key-name"
        label="Definition"
        all="All definitions"
        chosen={name}
        names={definitions.map((definition) => definition.name)}
        onChoose={(chosen) => onChange({ name: chosen })}
      />
    </div>
  )
}

interface ChoiceProps {
  id: string
  label: string
  /** Text of the choice without a filter. */
  all: string
  chosen: string
  names: string[]
  onChoose: (name: string) => void
}

function Choice({ id, label, all, chosen, names, onChoose }: ChoiceProps) {
  // The chosen name is offered also before the names are loaded, and if it no longer exists.
  const offered = [...new Set([...names, ...(chosen === '' ? [] : [chosen])])].sort()
  return (
    <div class="field">
      <label class="field-label" for={id}>
        {label}
      </label>
      <select
        id={id}
        value={chosen}
        onChange={(event: Event) => {
          if (event.target instanceof HTMLSelectElement) onChoose(event.target.value)
        }}
      >
        <option value="" selected={chosen === ''}>
          {all}
        </option>
        {offered.map((name) => (
          <option key={name} value={name} selected={name === chosen}>
            {name}
          </option>
        ))}
      </select>
    </div>
  )
}
