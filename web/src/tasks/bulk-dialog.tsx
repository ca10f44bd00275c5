// Dialog for a bulk action (cancel, retry or replay many tasks): asks for confirmation with the number of
// tasks and the effect, then shows progress and outcome.
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Access } from '../api/access.ts'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import { Icon } from '../parts/icons.tsx'
import type { Action, BulkRun, BulkState } from './bulk-run.ts'

export const ACTION_TEXTS = {
  cancel: {
    verb: 'Cancel',
    done: 'cancelled',
    effect: 'Waiting tasks are cancelled immediately. Running tasks are asked to stop.',
    rest: 'had already finished',
    none: 'None of these tasks can be cancelled: all have finished.',
  },
  retry: {
    verb: 'Retry',
    done: 'retried',
    effect: 'Failed and cancelled tasks become PENDING again, with the same id and a new retry budget.',
    rest: 'were no longer failed or cancelled',
    none: 'None of these tasks can be retried: only failed and cancelled tasks can.',
  },
  replay: {
    verb: 'Replay',
    done: 'replayed',
    effect: 'Each task is submitted again as a new task with the same input. The originals do not change.',
    rest: 'could not be replayed',
    none: 'No tasks to replay.',
  },
} as const satisfies Record<Action, Record<string, string>>

export interface BulkDialogProps {
  /** The bulk action that the dialog shows; null closes the dialog. */
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
  const state = run.state.value
  const texts = ACTION_TEXTS[run.action]
  const { kind, total, changed } = state
  const isCounting = kind === 'counting'
  const isFinished = kind === 'done' || (kind === 'confirming' && total === 0)
  return (
    <div class="bulk">
      <h2 id="bulk-title" class="panel-title">
        {`${texts.verb} ${isCounting ? 'tasks' : tasksOf(total)}${kind === 'confirming' && total > 0 ? '?' : ''}`}
      </h2>
      {/* Screen readers announce this text, but not the progress below it, which changes constantly. */}
      <div class="bulk-note" role="status">
        <p>{messageOf(state, run.action)}</p>
      </div>
      {kind === 'running' && (
        <div class="progress tone-busy">
          <div
            class="progress-bar"
            role="progressbar"
            aria-label={`${texts.verb} tasks`}
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
          <p>{withFullStop(state.fault.detail)}</p>
        </div>
      )}
      {state.fault?.status === 403 && <MissingScopeNotice access={access} scope="operate" />}
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
            class={`button ${isFinished ? 'is-primary' : 'is-quiet'}`}
            data-first
            onClick={onClose}
          >
            {isFinished || kind === 'failed' ? 'Close' : 'Not now'}
          </button>
        )}
        {((kind === 'confirming' && total > 0) || isCounting) && (
          <button
            type="button"
            class="button is-primary"
            aria-disabled={isCounting ? 'true' : 'false'}
            onClick={run.start}
          >
            {isCounting ? 'Counting …' : `${texts.verb} ${tasksOf(total)}`}
          </button>
        )}
        {kind === 'failed' && state.fault?.status !== 403 && (
          <button type="button" class="button is-primary" onClick={run.start}>
            Continue
          </button>
        )}
      </div>
    </div>
  )
}

function messageOf({ kind, total, excluded, changed, isStopped }: BulkState, action: Action): string {
  const texts = ACTION_TEXTS[action]
  switch (kind) {
    case 'counting':
      return total === 0 ? 'Counting …' : `Counting … ${total.toLocaleString()} so far.`
    case 'confirming': {
      if (total === 0) return texts.none
      return excluded === 0
        ? texts.effect
        : `${texts.effect} ${tasksOf(excluded)} of the selection ${excluded === 1 ? 'is' : 'are'} not affected.`
    }
    case 'running':
      return 'You can stop at any time. Changes that are already made stay.'
    case 'failed':
      return `${changed.toLocaleString()} of ${total.toLocaleString()} ${texts.done} before the error.`
    case 'done':
      return summaryOf({ total, changed, isStopped }, action)
  }
}

/** Returns the outcome of a bulk action in words: "187 retried, 13 were no longer failed or cancelled." */
export function summaryOf(
  { total, changed, isStopped }: Pick<BulkState, 'total' | 'changed' | 'isStopped'>,
  action: Action,
): string {
  const texts = ACTION_TEXTS[action]
  const done = `${changed.toLocaleString()} ${texts.done}`
  if (isStopped && changed < total)
    return `Stopped: ${changed.toLocaleString()} of ${total.toLocaleString()} ${texts.done}.`
  const rest = total - changed
  return rest > 0 ? `${done}, ${rest.toLocaleString()} ${texts.rest}.` : `${done}.`
}

function tasksOf(count: number): string {
  return `${count.toLocaleString()} ${count === 1 ? 'task' : 'tasks'}`
}

function percentOf({ changed, total }: BulkState): number {
  return Math.min(100, Math.round((changed / Math.max(1, total)) * 100))
}

function withFullStop(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}
