// Paging of the task list: the cursor in the URL, the links, and a line that says which tasks a page shows.
import { formatTimestamp } from '../parts/durations.ts'
import { hashOf } from '../route.ts'
import { submittedAtOfId } from './filters.ts'
import { PAGE_SIZE, type TaskList } from './task-list.ts'

const CURSOR = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns the cursor in the URL (the page shows tasks with lower ids); empty if it is missing or invalid. */
export function cursorOf(params: URLSearchParams): string {
  const cursor = params.get('cursor') ?? ''
  return CURSOR.test(cursor) ? cursor : ''
}

/** Links to the first and to the next page. @param next cursor of the next page; null on the last page */
export function Pager(props: { params: URLSearchParams; cursor: string; next: string | null }) {
  const { params, cursor, next } = props
  if (cursor === '' && next === null) return null
  return (
    <nav class="pager" aria-label="Pages">
      {cursor !== '' && (
        <a class="button is-small" href={hashAt(params, null)}>
          Newest
        </a>
      )}
      {next !== null && (
        <a class="button is-small" href={hashAt(params, next)}>
          Older
        </a>
      )}
    </nav>
  )
}

function hashAt(current: URLSearchParams, cursor: string | null): string {
  const params = new URLSearchParams(current)
  if (cursor === null) params.delete('cursor')
  else params.set('cursor', cursor)
  return hashOf({ view: 'tasks', params })
}

/** Returns a line that says which tasks the page shows. @param count number of rows on the page */
export function pageSummary(
  { page, isOutdated }: TaskList,
  count: number,
  cursor: string,
  isFiltered: boolean,
): string {
  if (page === null || isOutdated) return ''
  const found = `${count} ${isFiltered ? 'matching ' : ''}${count === 1 ? 'task' : 'tasks'}`
  const from = cursor === '' ? '' : `, submitted before ${formatTimestamp(submittedAtOfId(cursor))}`
  const { next, tasks } = page
  if (next === null) return count === 0 ? '' : `${found}${from}. End of the list.`
  if (tasks.length >= PAGE_SIZE) return `${found}${from}, newest first.`
  // The list has fewer tasks than fit onto a page, but older tasks may match too: the API examines a limited
  // number of rows per request, and the search stops after some requests.
  return `${found} so far${from}. Searched back to ${formatTimestamp(submittedAtOfId(next))}.`
}
