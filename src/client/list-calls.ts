// Calls of the client that list and count tasks.
import type { AnyProject, TaskOf } from './project.ts'
import type { Api, CallOptions, SendCall } from './request.ts'
import type { CompactTask, CountQuery, ListQuery, TaskCount, TaskPage } from './task-list.ts'

export interface ListCalls<Project extends AnyProject> {
  /** Lists tasks, newest first. Pass `next_cursor` as `cursor` to read further pages. */
  list(query?: ListQuery, call?: CallOptions): Promise<TaskPage<TaskOf<Project>>>

  /** Lists tasks like `list`, with excerpts instead of the whole inputs and results. */
  listCompact(query?: ListQuery, call?: CallOptions): Promise<TaskPage<CompactTask>>

  /**
   * Counts the tasks that match the filter. One call examines a limited number of tasks: to count all, repeat
   * it with the `next_cursor` of the response as `cursor` until it is null, and add up the counts.
   */
  count(query?: CountQuery, call?: CallOptions): Promise<TaskCount>
}

export function createListCalls<Project extends AnyProject>({ v1 }: Api, send: SendCall): ListCalls<Project> {
  return {
    // The cast assumes that the API runs the project of this client.
    list: (query = {}, call) =>
      send((settings) => v1.tasks.$get({ query }, settings), call) as Promise<TaskPage<TaskOf<Project>>>,

    // The API returns compact tasks because the query demands them.
    listCompact: (query = {}, call) =>
      send((settings) => v1.tasks.$get({ query: { ...query, compact: 'true' } }, settings), call) as Promise<
        TaskPage<CompactTask>
      >,

    count: (query = {}, call) => send((settings) => v1.tasks.count.$get({ query }, settings), call),
  }
}
