// Text box in which the person types filters of the task list. It suggests filter keys and known values.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../parts/icons.tsx'
import { type Filter, readFilters } from './filters.ts'
import { type Known, type Suggestion, suggestionsFor } from './suggestions.ts'

export interface FilterBoxProps {
  params: URLSearchParams
  known: Known
  /** Called when the text box gets the focus, to load values for suggestions. */
  onFocus: () => void
  onAdd: (filters: Filter[]) => void
  onRemoveLast: () => void
}

export function FilterBox({ params, known, onFocus, onAdd, onRemoveLast }: FilterBoxProps) {
  const [text, setText] = useState('')
  const [isOpen, setIsOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const [fault, setFault] = useState<string | null>(null)
  const box = useRef<HTMLInputElement>(null)
  useSlashKey(() => box.current?.focus())
  const suggestions = isOpen ? suggestionsFor(text, known) : []
  const chosen = suggestions[active]

  return (
    <search class="filter-box">
      <label class="visually-hidden" for="filter">
        Filter tasks
      </label>
      <div class="filter-field">
        <Icon name="search" />
        <input
          ref={box}
          id="filter"
          type="text"
          role="combobox"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="Filter: status=FAILURE, input.email=…, or any text"
          value={text}
          aria-autocomplete="list"
          aria-expanded={suggestions.length > 0 ? 'true' : 'false'}
          aria-controls="filter-list"
          aria-activedescendant={chosen ? `filter-option-${active}` : undefined}
          aria-invalid={fault ? 'true' : undefined}
          aria-describedby={fault ? 'filter-fault' : 'filter-hint'}
          onInput={(event: Event) => {
            if (event.target instanceof HTMLInputElement) write(event.target.value)
          }}
          onFocus={() => {
            onFocus()
            setIsOpen(true)
          }}
          onClick={() => setIsOpen(true)}
          onBlur={() => setIsOpen(false)}
          onKeyDown={onKey}
        />
        <span class="filter-key" aria-hidden="true" title="Press / to focus the filter">
          /
        </span>
      </div>
      <p id="filter-hint" class="visually-hidden">
        Arrow keys choose a suggestion, Enter adds the filter. The / key focuses this box.
      </p>
      <div
        id="filter-list"
        class="filter-list"
        role="listbox"
        aria-label="Suggestions"
        hidden={suggestions.length === 0}
      >
        {suggestions.map((suggestion, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the text box keeps the focus and handles all keys
          <div
            key={suggestion.text}
            id={`filter-option-${index}`}
            class="filter-option"
            role="option"
            tabIndex={-1}
            aria-selected={index === active ? 'true' : 'false'}
            // Keeps the focus in the text box. Losing it would close the suggestions before the click.
            onMouseDown={(event: Event) => event.preventDefault()}
            onClick={() => choose(suggestion)}
          >
            <span class="filter-option-text">{suggestion.text}</span>
            {suggestion.hint && <span class="filter-option-hint">{suggestion.hint}</span>}
          </div>
        ))}
      </div>
      <div role="alert">
        {fault && (
          <p id="filter-fault" class="field-fault">
            <Icon name="warning" />
            <span>{fault}</span>
          </p>
        )}
      </div>
    </search>
  )

  function write(next: string) {
    setText(next)
    setActive(-1)
    setFault(null)
    setIsOpen(true)
  }

  function choose({ text: next, isWhole }: Suggestion) {
    if (isWhole) return add(next)
    write(next)
    box.current?.focus()
  }

  function add(given: string) {
    const filters = readFilters(given, params)
    if (typeof filters === 'string') return setFault(filters)
    if (filters.length === 0) return
    write('')
    // After filters were added, closes the suggestions, which would cover the list of tasks.
    setIsOpen(false)
    onAdd(filters)
  }

  function onKey(event: KeyboardEvent) {
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp': {
        event.preventDefault()
        setIsOpen(true)
        const count = suggestionsFor(text, known).length
        // The arrow keys cycle through the suggestions and index -1, at which no suggestion is selected and
        // Enter adds the typed text.
        const step = event.key === 'ArrowDown' ? 1 : count + 1
        setActive(((active + 1 + step) % (count + 1)) - 1)
        break
      }
      case 'Enter':
        event.preventDefault()
        if (chosen) choose(chosen)
        else add(text)
        break
      case 'Escape':
        if (isOpen && suggestions.length > 0) event.preventDefault()
        setIsOpen(false)
        setActive(-1)
        break
      case 'Backspace':
        if (text === '') onRemoveLast()
        break
    }
  }
}

/** Makes the / key focus the text box, except while the person types in a field or uses a dialog. */
function useSlashKey(focus: () => void) {
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
      const isTyping =
        event.target instanceof Element && event.target.closest('input, textarea, select, dialog')
      if (isTyping) return
      event.preventDefault()
      focus()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
