// One page of the list, kept fresh while it is the newest one.
import { useRef, useState } from 'hono/jsx/dom'
import type { Answer, ApiFault } from '../api/api-answer.ts'
import type { CompactTask, TaskFilter } from '../api/api-client.ts'
import { type Poll, startPoll } from '../api/live-answer.ts'
import type { Page } from '../page.ts'
import { useEffect } from '../parts/effect.ts'

export interface TaskPage {
  tasks: CompactTask[]
  /** Where the following page begins; null at the end. */
  next: string | null
  /** How many looks it took: where few of very many match, one look finds less than a page. */
  looks: number
  /** By the server's clock. */
  seenAtMs: number
}

export interface ShownPage {
  page: TaskPage | null
  /** Whether it answers an earlier question. */
  isOutdated: boolean
  fault: ApiFault | null
  refresh(): void
}

export const PAGE_SIZE = 50
// Soon enough to be called live; a page costs the API a few milliseconds.
const INTERVAL_MS = 2_500
const NEVER_MS = 3_600_000
// Some ten thousands of tasks are looked at before the person is asked whether to go on.
const MOST_LOOKS = 12
// What took several looks is asked for less often.
const ROUNDS_BETWEEN_LONG_LOOKS = 4

/** @param isLive whether it is asked for again and again; one that is not stays as it is */
export function useTaskPage(
  { api, connection, access, nowMs }: Page,
  { question, filter, isLive }: { question: string; filter: () => TaskFilter; isLive: boolean },
): ShownPage {
  const [known, setKnown] = useState<Known>({ page: null, question, fault: null })
  const poll = useRef<Poll | null>(null)
  useEffect(() => {
    let last: { answer: Answer<TaskPage>; looks: number; round: number } | null = null
    const ask = async (signal: AbortSignal): Promise<Answer<TaskPage>> => {
      if (last && last.looks > 1 && ++last.round % ROUNDS_BETWEEN_LONG_LOOKS !== 0) return last.answer
      const answer = await readPage(filter(), (one) => api.tasks(one, signal), nowMs)
      last = answer.ok ? { answer, looks: answer.value.looks, round: 0 } : null
      return answer
    }
    const started = startPoll(
      { connection, access, ask, intervalMs: isLive ? INTERVAL_MS : NEVER_MS },
      (answer) =>
        setKnown((before) =>
          answer.ok ? { page: answer.value, question, fault: null } : { ...before, fault: answer.fault },
        ),
    )
    poll.current = {
      ...started,
      refresh() {
        last = null
        started.refresh()
      },
    }
    const unsubscribe = access.key.subscribe(() => {
      // Another key may see other things; without one nothing stays in sight.
      if (access.key.get() === null) setKnown({ page: null, question, fault: null })
      poll.current?.refresh()
    })
    return () => {
      unsubscribe()
      started.stop()
    }
  }, [question, isLive])
  return {
    page: known.page,
    isOutdated: known.page !== null && known.question !== question,
    fault: known.fault,
    refresh: () => poll.current?.refresh(),
  }
}

interface Known {
  page: TaskPage | null
  question: string
  fault: ApiFault | null
}

async function readPage(
  filter: TaskFilter,
  ask: (filter: TaskFilter) => Promise<Answer<{ data: CompactTask[]; next_cursor: string | null }>>,
  nowMs: () => number,
): Promise<Answer<TaskPage>> {
  const tasks: CompactTask[] = []
  let next: string | null = null
  for (let looks = 1; ; looks++) {
    const limit = String(PAGE_SIZE - tasks.length)
    const answer = await ask({ ...filter, limit, ...(next !== null && { cursor: next }) })
    if (!answer.ok) return answer
    tasks.push(...answer.value.data)
    next = answer.value.next_cursor
    if (next === null || tasks.length >= PAGE_SIZE || looks >= MOST_LOOKS)
      return { ok: true, value: { tasks, next, looks, seenAtMs: nowMs() } }
  }
}
