// Calls of the client that list and count tasks.
import type { InferRequestType, InferResponseType } from 'hono/client'
import type { Api, RequestOptions, SendCall } from './request.ts'

type Tasks = Api['v1']['tasks']
type CallOptions = Pick<RequestOptions, 'signal'>
type Page = InferResponseType<Tasks['$get'], 200>

export type ListQuery = InferRequestType<Tasks['$get']>['query']

/**
 * Type of a response that lists tasks. The API returns whole tasks, which have the member `input`, or compact
 * tasks, which have `input_excerpt` in its place; `Kind` is the name of this member.
 */
export type PageOf<Kind extends 'input' | 'input_excerpt'> = Page extends infer Candidate
  ? Candidate extends { data: (infer Item)[] }
    ? Kind extends keyof Item
      ? Candidate
      : never
    : never
  : never

export function createListCalls({ v1 }: Api, send: SendCall) {
  return {
    list: (filter: Omit<ListQuery, 'compact'> = {}, call?: CallOptions) => page<'input'>(filter, call),

    /** Lists tasks like `list`, with excerpts instead of the whole inputs and results. */
    listCompact: (filter: Omit<ListQuery, 'compact'> = {}, call?: CallOptions) =>
      page<'input_excerpt'>({ ...filter, compact: 'true' }, call),

    /**
     * Counts the tasks that match the filter. One call examines a limited number of tasks: to count all,
     * repeat it with the `next_cursor` of the response as `cursor` until it is null, and add up the counts.
     */
    count: (filter: Omit<ListQuery, 'compact' | 'limit'> = {}, call?: CallOptions) =>
      send((settings) => v1.tasks.count.$get({ query: filter }, settings), call),
  }

  function page<Kind extends 'input' | 'input_excerpt'>(query: ListQuery, call?: CallOptions) {
    // The cast assumes that `Kind` fits the query: with `compact`, the API returns compact tasks, otherwise
    // whole tasks.
    return send((settings) => v1.tasks.$get({ query }, settings), call) as Promise<PageOf<Kind>>
  }
}
