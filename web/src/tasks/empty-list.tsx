// Replaces the table of tasks when it has no rows. Explains why, and offers actions such as “Clear filters”.
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import type { Page } from '../page.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { Comb } from '../parts/icons.tsx'
import { Skeleton } from '../parts/skeleton.tsx'
import { goTo, hashOf } from '../route.ts'
import { submittedAtOfId } from './filters.ts'
import type { TaskList } from './task-list.ts'

export interface EmptyListProps {
  page: Page
  list: TaskList
  isFiltered: boolean
  cursor: string
}

export function EmptyList({ page, list, isFiltered, cursor }: EmptyListProps) {
  const connection = page.connection.state.value
  const access = page.access.state.value
  const { fault } = list
  const clearFilters = isFiltered && (
    <button type="button" class="button" onClick={() => goTo({ view: 'tasks' })}>
      Clear filters
    </button>
  )
  if (access.isKeyRequired) return <Locked access={page.access} text="Enter a key to see the tasks." />
  if (fault?.status === 403) return <MissingScopeNotice access={page.access} scope="read" />
  if (fault?.kind === 'refused') {
    return (
      <div class="empty tone-warn" role="alert">
        <h2>The API rejected these filters</h2>
        <p>{fault.detail}</p>
        {clearFilters}
      </div>
    )
  }
  if (list.page === null || list.isOutdated) {
    const label = connection.isUp ? 'Loading tasks' : 'Waiting for the API'
    return <Skeleton label={label} lines={['row', 'row', 'row', 'row', 'row', 'row']} />
  }
  if (list.page.next !== null) {
    const searchedTo = formatTimestamp(submittedAtOfId(list.page.next))
    return (
      <div class="empty">
        <Comb />
        <h2>No match yet</h2>
        <p>{`No task submitted after ${searchedTo} matches. “Older” continues the search.`}</p>
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
          ? 'Change or clear the filters.'
          : cursor === ''
            ? 'Submitted tasks are listed here, newest first.'
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
