// View with the list of tasks: filters from the URL, the list itself, which is polled, and bulk actions on
// selected or matching tasks.
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { TaskFilter } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Icon } from '../parts/icons.tsx'
import type { Route } from '../route.ts'
import { BulkDialog } from './bulk-dialog.tsx'
import { type Action, type BulkRun, type BulkTarget, createBulkRun } from './bulk-run.ts'
import { ColumnMenu } from './column-menu.tsx'
import { createColumnChoice } from './columns.ts'
import { EmptyList } from './empty-list.tsx'
import { FilterBar } from './filter-bar.tsx'
import { filtersOf, queryOf } from './filters.ts'
import { useFrozenRows, usePointerActivity } from './frozen-rows.ts'
import { cursorOf, Pager, pageSummary } from './pager.tsx'
import { SelectionBar } from './selection-bar.tsx'
import { type TaskList, useTaskList } from './task-list.ts'
import { TaskTable } from './task-table.tsx'

export function TasksView({ page, route }: { page: Page; route: Route }) {
  const { params } = route
  const filters = filtersOf(params)
  const cursor = cursorOf(params)
  const queryKey = String(
    new URLSearchParams([...filters.map(({ key, value }) => [key, value]), ['cursor', cursor]]),
  )
  const [isPaused, setIsPaused] = useState(false)
  const filter = (): TaskFilter => queryOf(filters, page.nowMs())
  const list = useTaskList(page, {
    queryKey,
    filter: () => ({ ...filter(), ...(cursor !== '' && { cursor }) }),
    // Only the first page of the list is polled, because new tasks appear there only.
    isLive: !isPaused && cursor === '',
  })
  const choice = useMemo(createColumnChoice, [])
  const columns = choice.chosen.value
  const definitions = page.definitions.value ?? []
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [matching, setMatching] = useState<TaskFilter | null>(null)
  const [run, setRun] = useState<BulkRun | null>(null)
  const [isPointerActive, setIsPointerOver] = usePointerActivity()
  const tasks = list.page?.tasks ?? []
  const frozen = useFrozenRows(
    tasks,
    list.isOutdated ? 'outdated' : queryKey,
    isPointerActive || selected.size > 0,
  )
  const { rows } = frozen
  useEffect(clear, [queryKey])

  return (
    <section class="panel tasks" aria-labelledby="tasks-title">
      <div class="tasks-head">
        <h1 id="tasks-title" class="panel-title">
          Tasks
        </h1>
        <div class="tasks-tools">
          {cursor === '' && (
            <button type="button" class="button is-quiet is-small" onClick={() => setIsPaused(!isPaused)}>
              <Icon name={isPaused ? 'resume' : 'pause'} />
              {isPaused ? 'Resume' : 'Pause'}
            </button>
          )}
          <button type="button" class="button is-quiet is-small" onClick={refresh}>
            <Icon name="refresh" />
            Refresh
          </button>
          <ColumnMenu choice={choice} chosen={columns} />
        </div>
      </div>
      <FilterBar page={page} params={params} />
      {rows.length > 0 && (
        <SelectionBar
          page={page}
          count={selected.size}
          matching={matching}
          canSelectMatching={selected.size === rows.length && hasOtherPages(list, cursor)}
          onSelectMatching={() => setMatching(filter())}
          onAct={act}
          onClear={clear}
        />
      )}
      <p class="tasks-note" role="status">
        {pageSummary(list, rows.length, cursor, filters.length > 0)}
      </p>
      {frozen.newCount > 0 && (
        <button type="button" class="button is-small tasks-newer" onClick={frozen.update}>
          {`Show ${frozen.newCount} new ${frozen.newCount === 1 ? 'task' : 'tasks'}`}
        </button>
      )}
      {rows.length > 0 ? (
        <TaskTable
          tasks={rows}
          isRemoved={frozen.isRemoved}
          definitions={definitions}
          columns={columns}
          atMs={list.page?.loadedAtMs ?? 0}
          selected={selected}
          isBusy={list.isOutdated}
          onSelect={select}
          onPointer={setIsPointerOver}
        />
      ) : (
        <EmptyList page={page} list={list} isFiltered={filters.length > 0} cursor={cursor} />
      )}
      <Pager params={params} cursor={cursor} next={list.isOutdated ? null : (list.page?.next ?? null)} />
      <BulkDialog run={run} access={page.access} onClose={closeRun} />
    </section>
  )

  function select(ids: string[], isSelected: boolean) {
    const next = new Set(selected)
    for (const id of ids) isSelected ? next.add(id) : next.delete(id)
    setSelected(next)
    setMatching(null)
  }

  function clear() {
    setSelected(new Set())
    setMatching(null)
  }

  function act(action: Action) {
    const selectedTasks = rows.filter(({ id }) => selected.has(id))
    const target: BulkTarget =
      matching === null ? { kind: 'selected', tasks: selectedTasks } : { kind: 'matching', filter: matching }
    setRun(createBulkRun(page, action, target))
  }

  function closeRun() {
    if (run === null) return
    const { kind } = run.state.value
    run.stop()
    setRun(null)
    if (kind === 'confirming' || kind === 'counting') return
    clear()
    refresh()
  }

  function refresh() {
    frozen.update()
    list.refresh()
  }
}

/** Checks whether tasks on other pages match the filter too. */
function hasOtherPages(list: TaskList, cursor: string): boolean {
  return cursor !== '' || (list.page?.next ?? null) !== null
}
