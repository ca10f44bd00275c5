// All tasks: found by filters that stand in the URL, followed while they change, and changed many at once.
import { useMemo, useState } from 'hono/jsx/dom'
import { LackingNotice, Locked } from '../api/access-notice.tsx'
import type { TaskFilter } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatMoment } from '../parts/durations.ts'
import { useEffect } from '../parts/effect.ts'
import { Comb, Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import { goTo, hashOf, type Route } from '../route.ts'
import { BulkDialog } from './bulk-dialog.tsx'
import { type Action, type BulkRun, createBulkRun } from './bulk-run.ts'
import { ColumnMenu } from './column-menu.tsx'
import { createColumnChoice } from './columns.ts'
import { FilterBar } from './filter-bar.tsx'
import { filtersOf, momentOfId, queryOf } from './filters.ts'
import { useHeldRows, useHold } from './held-rows.ts'
import { SelectionBar } from './selection-bar.tsx'
import { PAGE_SIZE, type ShownPage, useTaskPage } from './task-page.ts'
import { TableSkeleton, TaskTable } from './task-table.tsx'

export function TasksView({ page, route }: { page: Page; route: Route }) {
  const { params } = route
  const filters = filtersOf(params)
  const cursor = cursorOf(params)
  const question = String(
    new URLSearchParams([...filters.map(({ key, value }) => [key, value]), ['cursor', cursor]]),
  )
  const [isPaused, setIsPaused] = useState(false)
  const filter = (): TaskFilter => queryOf(filters, page.nowMs())
  const shown = useTaskPage(page, {
    question,
    filter: () => ({ ...filter(), ...(cursor !== '' && { cursor }) }),
    // What is older does not come to the top of the list.
    isLive: !isPaused && cursor === '',
  })
  const choice = useMemo(createColumnChoice, [])
  const columns = useObservable(choice.chosen)
  const definitions = useObservable(page.definitions) ?? []
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [matching, setMatching] = useState<TaskFilter | null>(null)
  const [run, setRun] = useState<BulkRun | null>(null)
  const [isPointed, setIsPointed] = useHold()
  const tasks = shown.page?.tasks ?? []
  const isHeld = isPointed || selected.size > 0
  const held = useHeldRows(tasks, shown.isOutdated ? 'outdated' : question, isHeld)
  // Another list is another choice.
  useEffect(clear, [question])
  const isChoosable = held.rows.length > 0

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
              {isPaused ? 'Go on live' : 'Pause'}
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
      {isChoosable && (
        <SelectionBar
          page={page}
          count={selected.size}
          matching={matching}
          canMeanAll={selected.size > 0 && selected.size === held.rows.length && hasOthers(shown, cursor)}
          onMeanAll={() => setMatching(filter())}
          onAct={act}
          onClear={clear}
        />
      )}
      <p class="tasks-said" role="status">
        {saidOf(shown, held.rows.length, cursor, filters.length > 0)}
      </p>
      {held.newer > 0 && (
        <button type="button" class="button is-small tasks-newer" onClick={held.release}>
          {`Show ${held.newer} new ${held.newer === 1 ? 'task' : 'tasks'}`}
        </button>
      )}
      {held.rows.length > 0 ? (
        <TaskTable
          tasks={held.rows}
          isGone={held.isGone}
          definitions={definitions}
          columns={columns}
          atMs={shown.page?.seenAtMs ?? 0}
          selected={selected}
          isBusy={shown.isOutdated}
          onSelect={select}
          onHold={setIsPointed}
        />
      ) : (
        <NoRows page={page} shown={shown} isFiltered={filters.length > 0} cursor={cursor} />
      )}
      <Pager params={params} cursor={cursor} next={shown.isOutdated ? null : (shown.page?.next ?? null)} />
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
    const chosen = held.rows.filter(({ id }) => selected.has(id))
    setRun(
      createBulkRun(
        page,
        action,
        matching === null ? { kind: 'chosen', tasks: chosen } : { kind: 'matching', filter: matching },
      ),
    )
  }

  function closeRun() {
    if (run === null) return
    const { kind } = run.state.get()
    run.stop()
    setRun(null)
    if (kind === 'asking' || kind === 'counting') return
    clear()
    refresh()
  }

  function refresh() {
    held.release()
    shown.refresh()
  }
}

/** Whether more match than this page shows. */
function hasOthers(shown: ShownPage, cursor: string): boolean {
  return cursor !== '' || (shown.page?.next ?? null) !== null
}

const CURSOR = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function cursorOf(params: URLSearchParams): string {
  const cursor = params.get('cursor') ?? ''
  return CURSOR.test(cursor) ? cursor : ''
}

function saidOf({ page, isOutdated }: ShownPage, count: number, cursor: string, isFiltered: boolean): string {
  if (page === null || isOutdated) return ''
  const [what, match] = count === 1 ? ['1 task', ' that matches'] : [`${count} tasks`, ' that match']
  const found = isFiltered ? what + match : what
  const from = cursor === '' ? '' : `, submitted before ${formatMoment(momentOfId(cursor))}`
  const { next, tasks } = page
  if (next === null) return count === 0 ? '' : `${found}${from}: these are all.`
  if (tasks.length >= PAGE_SIZE) return `${found}${from}, newest first.`
  // The API looks at so many at a time.
  return `${found} so far${from}: looked back to ${formatMoment(momentOfId(next))}.`
}

function Pager({ params, cursor, next }: { params: URLSearchParams; cursor: string; next: string | null }) {
  const at = (place: string | null) => {
    const to = new URLSearchParams(params)
    if (place === null) to.delete('cursor')
    else to.set('cursor', place)
    return hashOf({ view: 'tasks', params: to })
  }
  if (cursor === '' && next === null) return null
  return (
    <nav class="pager" aria-label="Pages">
      {cursor !== '' && (
        <a class="button is-small" href={at(null)}>
          Newest
        </a>
      )}
      {next !== null && (
        <a class="button is-small" href={at(next)}>
          Older
        </a>
      )}
    </nav>
  )
}

interface NoRowsProps {
  page: Page
  shown: ShownPage
  isFiltered: boolean
  cursor: string
}

function NoRows({ page, shown, isFiltered, cursor }: NoRowsProps) {
  const connection = useObservable(page.connection.state)
  const access = useObservable(page.access.state)
  const { fault } = shown
  const clearFilters = isFiltered && (
    <button type="button" class="button" onClick={() => goTo({ view: 'tasks' })}>
      Clear filters
    </button>
  )
  if (access.isShutOut) return <Locked access={page.access} what="With a key you see the tasks here." />
  if (fault?.status === 403) return <LackingNotice access={page.access} scope="read" />
  if (fault?.kind === 'refused') {
    return (
      <div class="empty tone-warn" role="alert">
        <h2>The API does not take these filters</h2>
        <p>{fault.detail}</p>
        {clearFilters}
      </div>
    )
  }
  if (shown.page === null || shown.isOutdated) return <TableSkeleton isUp={connection.isUp} />
  if (shown.page.next !== null) {
    return (
      <div class="empty">
        <Comb />
        <h2>None found yet</h2>
        <p>{`None of the tasks submitted after ${formatMoment(momentOfId(shown.page.next))} matches. “Older” looks further back.`}</p>
        {clearFilters}
      </div>
    )
  }
  return (
    <div class="empty">
      <Comb />
      <h2>{isFiltered ? 'No task matches' : cursor === '' ? 'No tasks yet' : 'No older tasks'}</h2>
      <p>
        {isFiltered
          ? 'Nothing that was submitted is like this.'
          : cursor === ''
            ? 'What is submitted is listed here, newest first.'
            : 'This is the end of the list.'}
      </p>
      {clearFilters}
      {!isFiltered && cursor === '' && (
        <a class="button is-primary" href={hashOf({ view: 'run' })}>
          Run a task
        </a>
      )}
    </div>
  )
}
