// Workers and queues: who works on what, what waits for whom, and the switches of both.
import { LackingNotice, Locked } from '../api/access-notice.tsx'
import { useAnswer } from '../api/live-answer.ts'
import type { Page } from '../page.ts'
import { useObservable } from '../parts/observable.ts'
import { QueueTable } from './queue-table.tsx'
import { WorkerTable } from './worker-table.tsx'

export function WorkersView({ page }: { page: Page }) {
  const { api, access } = page
  const { isShutOut, lacking } = useObservable(access.state)
  const queues = useAnswer(page, { question: 'queues', ask: api.queues })
  const workers = useAnswer(page, { question: 'workers', ask: api.workers })
  if (lacking.includes('read')) return <LackingNotice access={access} scope="read" />
  if (isShutOut && !queues.value)
    return <Locked access={access} what="With a key you see here who works, and on what." />

  const refresh = () => {
    queues.refresh()
    workers.refresh()
  }
  return (
    <div class="stack">
      <h1 class="visually-hidden">Workers and queues</h1>
      <LackingNotice access={access} scope="operate" />
      <QueueTable queues={queues.value?.data ?? null} page={page} onChanged={refresh} />
      <WorkerTable workers={workers.value?.data ?? null} page={page} onChanged={refresh} />
    </div>
  )
}
