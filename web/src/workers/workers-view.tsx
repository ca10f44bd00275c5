// View of the queues and workers. Queues can be paused and resumed, workers drained and resumed.
import { Locked, MissingScopeNotice } from '../api/access-notice.tsx'
import { useQuery } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { QueueTable } from './queue-table.tsx'
import { WorkerTable } from './worker-table.tsx'

export function WorkersView({ page }: { page: Page }) {
  const { api, access } = page
  const { isKeyRequired, missingScopes } = access.state.value
  const queues = useQuery(page, { queryKey: 'queues', request: api.queues })
  const workers = useQuery(page, { queryKey: 'workers', request: api.workers })
  if (missingScopes.includes('read')) return <MissingScopeNotice access={access} scope="read" />
  if (isKeyRequired && !queues.value)
    return <Locked access={access} text="Enter a key to see workers and queues." />

  const refresh = () => {
    queues.refresh()
    workers.refresh()
  }
  return (
    <div class="stack">
      <h1 class="visually-hidden">Workers and queues</h1>
      <MissingScopeNotice access={access} scope="operate" />
      <QueueTable queues={queues.value?.data ?? null} page={page} onChanged={refresh} />
      <WorkerTable workers={workers.value?.data ?? null} page={page} onChanged={refresh} />
    </div>
  )
}
