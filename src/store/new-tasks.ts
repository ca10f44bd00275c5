// The type of a submitted task before it is inserted.

export interface NewTask {
  id: string
  name: string
  queue: string
  input: unknown
  /** `input` as JSON, if it has been serialized already. */
  inputText?: string
  maxRetries: number
  timeoutMs: number
  tags: string[]
  createdAt: Date
  /** Earliest start. Undefined means immediately. */
  runAt?: Date
  requestId?: string
  traceparent?: string
  callbackUrl?: string
  replayedFrom?: string
  parentId?: string
}

/** A task with an idempotency key: repeated submissions create it once. */
export interface OnceTask extends NewTask {
  /** Hash of the caller's key together with its scope, and hash of the request body. */
  idempotency: { key: string; fingerprint: string }
}

export function inputTextOf({ input, inputText }: NewTask): string {
  return inputText ?? JSON.stringify(input)
}
