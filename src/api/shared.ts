// One look at the tables serves everybody who asks within a moment, so that a hundred open pages cost as much as one.

const SHARED_MS = 1_000

export interface Shared<T> {
  /** Loads at most once per key in `SHARED_MS`; who asks meanwhile gets the same answer. */
  get(key: number): Promise<T>
  /** What was looked up is no longer true. */
  forget(): void
}

export function shared<T>(load: (key: number) => Promise<T>): Shared<T> {
  const answers = new Map<number, { answer: Promise<T>; untilMs: number }>()
  return {
    get(key) {
      const known = answers.get(key)
      if (known && known.untilMs > Date.now()) return known.answer
      if (answers.size > 100) answers.clear()
      const answer = load(key)
      answers.set(key, { answer, untilMs: Date.now() + SHARED_MS })
      answer.catch(() => answers.delete(key))
      return answer
    },
    forget: () => answers.clear(),
  }
}
