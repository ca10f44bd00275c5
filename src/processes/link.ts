// Questions and notices between a supervisor and one of its processes, over the IPC channel of Node. Both
// ends use this code.

/** One end of an IPC channel. */
export interface Channel {
  /** Sends a message. Calls `onSent` when it is written, or when it cannot be written. Never throws. */
  send(message: unknown, onSent?: () => void): void
  /** Calls the listener for every message that arrives. */
  listen(listener: (message: unknown) => void): void
}

/** Functions that answer the questions of the other end, by question. */
export type Answers = Record<string, () => unknown>

export interface Link {
  /**
   * Asks the other end. Resolves with undefined if there is no answer within `limitMs` milliseconds: the
   * other process computes, has ended, or failed to answer. Never rejects.
   */
  ask(question: string, limitMs: number): Promise<unknown>
  /** Sends a notice. Resolves when it is written or cannot be written. Never rejects. */
  notify(notice: string, value?: unknown): Promise<void>
}

type Message =
  | { kind: 'question'; id: number; question: string }
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'notice'; notice: string; value: unknown }

/**
 * Connects one end of the channel.
 * @param answers functions that answer the other end; an unknown question gets no answer
 * @param onNotice called for every notice of the other end
 */
export function createLink(
  channel: Channel,
  { answers, onNotice }: { answers: Answers; onNotice: (notice: string, value: unknown) => void },
): Link {
  const asked = new Map<number, (value: unknown) => void>()
  let lastId = 0
  channel.listen((message) => {
    if (isMessage(message)) receive(message)
  })
  return {
    ask(question, limitMs) {
      const id = ++lastId
      return new Promise((resolve) => {
        const settle = (value: unknown) => {
          clearTimeout(timer)
          asked.delete(id)
          resolve(value)
        }
        const timer = setTimeout(settle, limitMs, undefined)
        asked.set(id, settle)
        send({ kind: 'question', id, question })
      })
    },
    notify: (notice, value) => new Promise((resolve) => send({ kind: 'notice', notice, value }, resolve)),
  }

  function send(message: Message, onSent?: () => void) {
    channel.send(message, onSent)
  }

  function receive(message: Message) {
    if (message.kind === 'notice') onNotice(message.notice, message.value)
    else if (message.kind === 'answer') asked.get(message.id)?.(message.value)
    else void answer(message.id, message.question)
  }

  async function answer(id: number, question: string) {
    try {
      const value = await answers[question]?.()
      if (value !== undefined) send({ kind: 'answer', id, value })
    } catch {
      // No answer is sent. The `ask` of the other end then resolves with undefined after its time limit.
    }
  }
}

/** Other code of Node and of libraries may use the same channel. */
function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message
}
