// Before many tasks are changed: how many, and what will happen; then how far it is, and what came of it.
import { useLayoutEffect, useRef } from 'hono/jsx/dom'
import type { Access } from '../api/access.ts'
import { LackingNotice } from '../api/access-notice.tsx'
import { Icon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import type { Action, BulkRun, BulkState } from './bulk-run.ts'

export const ACTION_WORDS = {
  cancel: {
    verb: 'Cancel',
    done: 'cancelled',
    what: 'What waits is cancelled at once. What runs is asked to stop.',
    rest: 'had already ended',
    none: 'None of these can be cancelled: they have ended.',
  },
  retry: {
    verb: 'Retry',
    done: 'retried',
    what: 'What failed or was cancelled waits again, under its id and with a fresh retry budget.',
    rest: 'were not failed any more',
    none: 'None of these can be retried: only what failed or was cancelled can be.',
  },
  replay: {
    verb: 'Replay',
    done: 'replayed',
    what: 'Each is submitted once more as a new task with the same input. These stay as they are.',
    rest: 'could not be submitted again',
    none: 'There is nothing to replay.',
  },
} as const satisfies Record<Action, Record<string, string>>

export interface BulkDialogProps {
  /** null while there is nothing to confirm. */
  run: BulkRun | null
  access: Access
  onClose: () => void
}

export function BulkDialog({ run, access, onClose }: BulkDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    if (run === null) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector<HTMLElement>('[data-first]')?.focus()
  }, [run])
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="bulk-title" onClose={onClose}>
      {run && <Content run={run} access={access} onClose={onClose} />}
    </dialog>
  )
}

function Content({ run, access, onClose }: { run: BulkRun; access: Access; onClose: () => void }) {
  const state = useObservable(run.state)
  const words = ACTION_WORDS[run.action]
  const { kind, total, changed } = state
  const isCounting = kind === 'counting'
  const isOver = kind === 'done' || (kind === 'asking' && total === 0)
  return (
    <div class="bulk">
      <h2 id="bulk-title" class="panel-title">
        {`${words.verb} ${isCounting ? 'tasks' : tasksOf(total)}${kind === 'asking' && total > 0 ? '?' : ''}`}
      </h2>
      {/* What is said here is read out; the progress is not, it would never end. */}
      <div class="bulk-said" role="status">
        <p>{said(state, run.action)}</p>
      </div>
      {kind === 'running' && (
        <div class="progress tone-busy">
          <div
            class="progress-bar"
            role="progressbar"
            aria-label={`${words.verb} tasks`}
            aria-valuemin={0}
            aria-valuemax={total}
            aria-valuenow={Math.min(changed, total)}
          >
            <span class="progress-fill" style={{ transform: `translateX(${percentOf(state) - 100}%)` }} />
          </div>
          <p class="progress-text">
            <span class="progress-message">{`${changed.toLocaleString()} of ${total.toLocaleString()}`}</span>
          </p>
        </div>
      )}
      {state.fault && state.fault.status !== 403 && (
        <div class="notice tone-bad" role="alert">
          <Icon name="warning" />
          <p>{ended(state.fault.detail)}</p>
        </div>
      )}
      {state.fault?.status === 403 && <LackingNotice access={access} scope="operate" />}
      <div class="key-actions">
        {kind === 'running' ? (
          <button
            type="button"
            class="button"
            data-first
            aria-disabled={state.isStopped ? 'true' : 'false'}
            onClick={run.stop}
          >
            {state.isStopped ? 'Stopping …' : 'Stop'}
          </button>
        ) : (
          <button
            type="button"
            class={`button ${isOver ? 'is-primary' : 'is-quiet'}`}
            data-first
            onClick={onClose}
          >
            {isOver || kind === 'failed' ? 'Close' : 'Not now'}
          </button>
        )}
        {((kind === 'asking' && total > 0) || isCounting) && (
          <button
            type="button"
            class="button is-primary"
            aria-disabled={isCounting ? 'true' : 'false'}
            onClick={run.start}
          >
            {isCounting ? 'Counting …' : `${words.verb} ${tasksOf(total)}`}
          </button>
        )}
        {kind === 'failed' && state.fault?.status !== 403 && (
          <button type="button" class="button is-primary" onClick={run.start}>
            Go on
          </button>
        )}
      </div>
    </div>
  )
}

function said({ kind, total, left, changed, isStopped }: BulkState, action: Action): string {
  const words = ACTION_WORDS[action]
  switch (kind) {
    case 'counting':
      return total === 0 ? 'Counting …' : `Counting … ${total.toLocaleString()} so far.`
    case 'asking': {
      if (total === 0) return words.none
      return left === 0
        ? words.what
        : `${words.what} ${left.toLocaleString()} of the chosen ones ${left === 1 ? 'is' : 'are'} left alone.`
    }
    case 'running':
      return 'You can stop at any moment; what is done stays done.'
    case 'failed':
      return `${changed.toLocaleString()} of ${total.toLocaleString()} ${words.done}; then it could not go on.`
    case 'done':
      return summaryOf({ total, changed, isStopped }, action)
  }
}

/** "187 retried, 13 were not failed any more." */
export function summaryOf(
  { total, changed, isStopped }: Pick<BulkState, 'total' | 'changed' | 'isStopped'>,
  action: Action,
): string {
  const words = ACTION_WORDS[action]
  const done = `${changed.toLocaleString()} ${words.done}`
  if (isStopped && changed < total)
    return `Stopped: ${changed.toLocaleString()} of ${total.toLocaleString()} ${words.done}.`
  const rest = total - changed
  return rest > 0 ? `${done}, ${rest.toLocaleString()} ${words.rest}.` : `${done}.`
}

function tasksOf(count: number): string {
  return `${count.toLocaleString()} ${count === 1 ? 'task' : 'tasks'}`
}

function percentOf({ changed, total }: BulkState): number {
  return Math.min(100, Math.round((changed / Math.max(1, total)) * 100))
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}
