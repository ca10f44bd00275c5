// The answer to one question, kept fresh for as long as a view shows it. It is not asked for while nobody looks at the
// page, while the API is away, and while the API does not let the page in.
import { useRef, useState } from 'hono/jsx/dom'
import { useEffect } from '../parts/effect.ts'
import type { Access } from './access.ts'
import type { Answer, ApiFault } from './api-answer.ts'
import type { Connection } from './connection.ts'
import { createPause, untilVisible } from './pauses.ts'

export interface LiveAnswer<T> {
  /** The last one; null until there is one. After a new question the old answer stays in sight until the new one comes. */
  value: T | null
  /** Whether `value` answers an earlier question. */
  isOutdated: boolean
  /** Why there is no newer one; null when there is nothing to complain of. */
  fault: ApiFault | null
  /** Asks now: something has changed. */
  refresh: () => void
}

export interface Asking<T> {
  /** What is asked, as text: another one is another question. */
  question: string
  ask: (signal: AbortSignal) => Promise<Answer<T>>
  /** From an answer to the next request. */
  intervalMs?: number
}

// Soon enough to be called live; and what many pages ask is answered from one look at the tables.
const INTERVAL_MS = 3_000

export function useAnswer<T>(
  place: { connection: Connection; access: Access },
  { question, ask, intervalMs = INTERVAL_MS }: Asking<T>,
): LiveAnswer<T> {
  const [known, setKnown] = useState<Known<T>>({ value: null, question, fault: null })
  const poll = useRef<Poll | null>(null)
  useEffect(() => {
    const { connection, access } = place
    const started = startPoll({ connection, access, ask, intervalMs }, (answer) =>
      setKnown((before) =>
        answer.ok ? { value: answer.value, question, fault: null } : { ...before, fault: answer.fault },
      ),
    )
    poll.current = started
    const unsubscribe = access.key.subscribe(() => {
      // Another key may see other things; without one nothing stays in sight.
      if (access.key.get() === null) setKnown({ value: null, question, fault: null })
      started.refresh()
    })
    return () => {
      unsubscribe()
      started.stop()
    }
  }, [question])
  return {
    value: known.value,
    isOutdated: known.value !== null && known.question !== question,
    fault: known.fault,
    refresh: () => poll.current?.refresh(),
  }
}

interface Known<T> {
  value: T | null
  /** That `value` answers. */
  question: string
  fault: ApiFault | null
}

export interface Poll {
  /** Asks now. An answer that is under way may be from before the change: it is not waited for. */
  refresh(): void
  stop(): void
}

export interface PollDependencies<T> {
  connection: Pick<Connection, 'untilUp'>
  access: Pick<Access, 'untilLetIn'>
  ask: (signal: AbortSignal) => Promise<Answer<T>>
  intervalMs: number
}

// Answers that come at once, from whatever stands between, must not make the loop spin.
const SHORTEST_ROUND_MS = 200
// What was refused stays refused until something changes, and that ends the rest.
const LONGEST_REST_MS = 3_600_000

/** Asks at once, and again after every pause, until it is stopped. */
export function startPoll<T>(
  { connection, access, ask, intervalMs }: PollDependencies<T>,
  onAnswer: (answer: Answer<T>) => void,
): Poll {
  const stopping = new AbortController()
  const rest = createPause()
  let round = new AbortController()
  void run()
  return {
    refresh() {
      round.abort()
      rest.end()
    },
    stop() {
      stopping.abort()
      round.abort()
      rest.end()
    },
  }

  async function run() {
    for (;;) {
      await untilVisible()
      await connection.untilUp(stopping.signal)
      await access.untilLetIn()
      if (stopping.signal.aborted) return
      round = new AbortController()
      const answer = await ask(round.signal)
      if (stopping.signal.aborted) return
      if (!round.signal.aborted && !isShutOut(answer)) onAnswer(answer)
      await rest.start(round.signal.aborted ? 0 : restMs(answer))
    }
  }

  function restMs(answer: Answer<T>): number {
    if (answer.ok) return intervalMs
    // What follows waits until the API is back, or lets the page in.
    return answer.fault.kind === 'refused' && !isShutOut(answer) ? LONGEST_REST_MS : SHORTEST_ROUND_MS
  }
}

/** It says nothing about what was asked. */
function isShutOut(answer: Answer<unknown>): boolean {
  return !answer.ok && answer.fault.status === 401
}
