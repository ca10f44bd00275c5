// Filters, lists and counts of tasks, and actions on many tasks.
import type { Task } from './task.ts'

/** Selects tasks. A task is selected if it matches all fields that are set; `{}` selects all tasks. */
export interface TaskFilter {
  /** One or more statuses, separated by commas. */
  status?: string
  /** One or more names of definitions, separated by commas. */
  name?: string
  /** One or more names of queues, separated by commas. */
  queue?: string
  /** One or more ids of workers, separated by commas: the worker of the last attempt. */
  worker?: string
  /** A tag of the task. */
  tag?: string
  /** Beginning of the id. */
  id?: string
  /** A text contained in name, tags, input, result or error. Case is ignored. */
  q?: string
  /** Submitted at this time or later, in RFC 3339. */
  created_after?: string
  /** Submitted before this time, in RFC 3339. */
  created_before?: string
  /** Value of a member of the input, e.g. `input.user.id`. At most five of these fields. */
  [member: `input.${string}`]: string
}

export interface ListQuery extends TaskFilter {
  /** Maximum number of tasks per page: 1 to 200. Default: 50. */
  limit?: number | string
  /** The `next_cursor` of the previous page. */
  cursor?: string
}

export interface CountQuery extends TaskFilter {
  /** The `next_cursor` of the previous count. */
  cursor?: string
}

/** A page of tasks, newest first. */
export interface TaskPage<Item = Task> {
  data: Item[]
  /** `cursor` of the next page; null on the last page. */
  next_cursor: string | null
}

/** A task in a compact list: it has excerpts instead of the whole input and result. */
export interface CompactTask extends Omit<Task, 'input' | 'result'> {
  /** The first 200 characters of the JSON of the input. */
  input_excerpt: string
  /** The first 200 characters of the JSON of the result; null until the task has succeeded. */
  result_excerpt: string | null
}

export interface TaskCount {
  /** Number of matching tasks among those examined by this request. */
  count: number
  /**
   * Position at which this count began. As `cursor` of a bulk action it excludes tasks that were submitted
   * later.
   */
  first_cursor: string
  /** `cursor` of the next request, whose count must be added; null when all tasks were examined. */
  next_cursor: string | null
}

/** One action on many tasks: either on the tasks with these ids, or on all tasks that match a filter. */
export interface BulkAction {
  action: 'cancel' | 'retry' | 'replay'
  /** At most 1,000 ids. */
  ids?: string[]
  filter?: TaskFilter
  /** The `next_cursor` of the previous response. Only with `filter`. */
  cursor?: string
}

export interface BulkResult {
  changed: number
  /** Selected tasks to which the action does not apply, e.g. because of their status. */
  skipped: number
  /** `cursor` of the next request; null when all selected tasks were handled. */
  next_cursor: string | null
}
