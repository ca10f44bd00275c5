// The requests that the views of the page send. A request that this version of the API rejects with 400 or
// 404 gets no figure.

/** Ids of seeded tasks, for requests that need one. */
export interface Landmarks {
  /** Id of a failed task with attempts and logs. */
  failedId: string
  /** Id of the task at this position in the list, newest first: the cursor for the page after it. */
  idAfter: Record<number, string>
}

export interface DashboardRequest {
  view: string
  name: string
  path: string
  /**
   * The response comes from a shared query. Requests are sent slowly enough that some wait for a new query.
   */
  isShared?: boolean
}

const PAGE = 50

export function dashboardRequests({ failedId, idAfter }: Landmarks): DashboardRequest[] {
  const list = (name: string, query: string) => ({
    view: 'Tasks',
    name,
    path: `/v1/tasks?limit=${PAGE}${query}`,
  })
  const shared = (view: string, name: string, path: string) => ({ view, name, path, isShared: true })
  return [
    shared('Overview', 'statistics of 5 minutes', '/v1/stats?window=300'),
    shared('Overview', 'statistics of an hour', '/v1/stats?window=3600'),
    shared('Overview', 'statistics of a day', '/v1/stats?window=86400'),
    shared('Overview', 'queues', '/v1/queues'),
    shared('Overview', 'workers', '/v1/workers'),
    list('first page', ''),
    list('first page, compact', '&compact=true'),
    list('page 2', `&cursor=${idAfter[PAGE]}`),
    list('page 100', `&cursor=${idAfter[99 * PAGE]}`),
    list('page 1,000', `&cursor=${idAfter[999 * PAGE]}`),
    list('page 10,000', `&cursor=${idAfter[9_999 * PAGE]}`),
    list('status FAILURE', '&status=FAILURE'),
    list('status PENDING', '&status=PENDING'),
    list('status RETRY', '&status=RETRY'),
    list('status SUCCESS', '&status=SUCCESS'),
    list('status CANCELLED', '&status=CANCELLED'),
    list('name of many tasks', '&name=notify'),
    list('name of few tasks', '&name=divide'),
    list('tag', '&tag=customer-77'),
    list('prefix of an id', `&id=${failedId.slice(0, 13)}`),
    list('a field of the input', '&input.recipient=user77%40example.com'),
    list('full-text search', '&q=user77%40example.com'),
    { view: 'Tasks', name: 'count of FAILURE, one call', path: '/v1/tasks/count?status=FAILURE' },
    {
      view: 'Tasks',
      name: 'count by a field of the input, one call',
      path: '/v1/tasks/count?input.recipient=user77%40example.com',
    },
    { view: 'Task', name: 'one task with its attempts', path: `/v1/tasks/${failedId}` },
    { view: 'Task', name: 'its logs', path: `/v1/tasks/${failedId}/logs` },
    { view: 'Run a task', name: 'definitions', path: '/v1/definitions' },
  ]
}
