// Calls of the client that list and count tasks.
import type { InferRequestType, InferResponseType } from 'hono/client'
import type { Api, RequestOptions, SendCall } from './request.ts'

type Tasks = Api['v1']['tasks']
type CallOptions = Pick<RequestOptions, 'signal'>
type Page = InferResponseType<Tasks['$get'], 200>

export type ListQuery = InferRequestType<Tasks['$get']>['query']

/** A page of whole tasks (`input`) or of compact tasks (`input_excerpt`). */
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

    /** Lists tasks with excerpts instead of the whole inputs and results. */
    listCompact: (filter: Omit<ListQuery, 'compact'> = {}, call?: CallOptions) =>
      page<'input_excerpt'>({ ...filter, compact: 'true' }, call),

    /** Counts matching tasks in a part of the list. Continue with `next_cursor` as `cursor`. */
    count: (filter: Omit<ListQuery, 'compact' | 'limit'> = {}, call?: CallOptions) =>
      send((settings) => v1.tasks.count.$get({ query: filter }, settings), call),
  }

  function page<Kind extends 'input' | 'input_excerpt'>(query: ListQuery, call?: CallOptions) {
    // `compact` in the query decides which kind of page the API returns.
    return send((settings) => v1.tasks.$get({ query }, settings), call) as Promise<PageOf<Kind>>
  }
}
