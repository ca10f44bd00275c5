// Menu in which the person shows and hides columns of the task list.
import { useEffect, useRef } from 'preact/hooks'
import { Icon } from '../parts/icons.tsx'
import { allColumns, COLUMNS, type Column, type ColumnChoice } from './columns.ts'

export function ColumnMenu({ choice, chosen }: { choice: ColumnChoice; chosen: readonly Column[] }) {
  const menu = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    function onPress(event: Event) {
      if (event.target instanceof Node && !menu.current?.contains(event.target)) close()
    }
    document.addEventListener('pointerdown', onPress)
    return () => document.removeEventListener('pointerdown', onPress)
  }, [])
  return (
    <details
      ref={menu}
      class="menu"
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key !== 'Escape' || !menu.current?.open) return
        close()
        menu.current.querySelector('summary')?.focus()
      }}
    >
      <summary class="button is-quiet is-small">
        <Icon name="columns" />
        Columns
      </summary>
      <fieldset class="menu-list">
        <legend class="visually-hidden">Visible columns</legend>
        {allColumns().map((column) => (
          <label key={column} class="menu-choice">
            <input type="checkbox" checked={chosen.includes(column)} onChange={() => choice.toggle(column)} />
            {COLUMNS[column]}
          </label>
        ))}
        <button type="button" class="button is-quiet is-small" onClick={choice.reset}>
          Reset
        </button>
      </fieldset>
    </details>
  )

  function close() {
    menu.current?.removeAttribute('open')
  }
}
